-- Distributes the quarter-hour store by EAN over the workers of a Citus cluster (PostgreSQL 17 or newer, Citus 13).
-- Once, as the role `metering`, after the service has made its tables, with the role `project` stopped:
--   psql "$DATABASE_URL" -f deploy/postgres/distribute.sql
-- Monthly partitions that are made later are distributed with their table. Checkpoints, events and parked records stay
-- on the coordinator, in the transaction that writes the rows. See docs/adr/0019.
select create_distributed_table('block', 'ean', shard_count => 32);
select create_distributed_table('block_input', 'ean', colocate_with => 'block');
select create_distributed_table('index_reading', 'ean', colocate_with => 'block');
select create_distributed_table('consumption_period', 'ean', colocate_with => 'block');
