-- Roles and their passwords. Applied at every start of the database, so each statement may run again.

-- Passwords must not show in the server's log or in pg_stat_statements.
SET client_min_messages = warning;
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SET pg_stat_statements.track_utility = off;

\getenv superuser_password POSTGRES_PASSWORD
\getenv owner_password DATABASE_OWNER_PASSWORD
\getenv app_password DATABASE_PASSWORD
\getenv readonly_password DATABASE_READONLY_PASSWORD
\getenv backup_password DATABASE_BACKUP_PASSWORD

SELECT format('CREATE ROLE %I', name)
FROM unnest(ARRAY['mindgraph_owner', 'mindgraph_user', 'mindgraph_readonly', 'mindgraph_backup']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE CURRENT_USER PASSWORD :'superuser_password';

-- Owns the schema and alone may change it; used by init_db only.
ALTER ROLE mindgraph_owner
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'owner_password';
-- The service: reads and writes rows, nothing else.
ALTER ROLE mindgraph_user
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'app_password';
-- Reports and people with questions.
ALTER ROLE mindgraph_readonly
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD :'readonly_password';
-- Base backups, WAL and dumps.
ALTER ROLE mindgraph_backup
    LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE REPLICATION PASSWORD :'backup_password';
GRANT pg_read_all_data, pg_read_all_settings, pg_checkpoint TO mindgraph_backup;
-- What the server is busy with, with what it was, and what waits for the archive: for `mindgraph
-- statements`, the doctor and metrics.
GRANT pg_monitor TO mindgraph_owner;
GRANT pg_read_all_stats, pg_read_all_settings TO mindgraph_readonly;

-- The driver puts values into the text of statements, and so a failed one would put hashes of
-- passwords into the log. Its message and its place are logged all the same.
ALTER ROLE mindgraph_owner SET log_min_error_statement = 'panic';
ALTER ROLE mindgraph_user SET log_min_error_statement = 'panic';
-- For the same reason the service logs its slow statements itself.
ALTER ROLE mindgraph_owner SET log_min_duration_statement = -1;
ALTER ROLE mindgraph_user SET log_min_duration_statement = -1;

-- Limits for those who come without limits of their own, as psql does.
ALTER ROLE mindgraph_owner SET lock_timeout = '10s';
ALTER ROLE mindgraph_owner SET idle_in_transaction_session_timeout = '10min';
ALTER ROLE mindgraph_user SET statement_timeout = '30s';
ALTER ROLE mindgraph_user SET lock_timeout = '5s';
ALTER ROLE mindgraph_user SET idle_in_transaction_session_timeout = '1min';
ALTER ROLE mindgraph_readonly SET default_transaction_read_only = on;
ALTER ROLE mindgraph_readonly SET statement_timeout = '5min';
ALTER ROLE mindgraph_readonly SET idle_in_transaction_session_timeout = '5min';
