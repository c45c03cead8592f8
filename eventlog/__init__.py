"""The published events, the log they travel on, and what every service process needs to live on it."""
