"""One machine: real Kafka and PostgreSQL as child processes, all services, and the command `kwartier`."""
