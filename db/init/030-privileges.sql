-- Who may do what in this database. Tables are made by migrations, as mindgraph_owner.

SELECT format('ALTER DATABASE %I OWNER TO mindgraph_owner', current_database()) \gexec
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format(
    'GRANT CONNECT ON DATABASE %I TO mindgraph_user, mindgraph_readonly, mindgraph_backup',
    current_database()
) \gexec

ALTER SCHEMA public OWNER TO mindgraph_owner;
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO mindgraph_user, mindgraph_readonly;

-- Tables that are there, after a restore for instance, and those that are still to come.
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO mindgraph_user;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO mindgraph_user;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO mindgraph_readonly;
ALTER DEFAULT PRIVILEGES FOR ROLE mindgraph_owner IN SCHEMA public
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO mindgraph_user;
ALTER DEFAULT PRIVILEGES FOR ROLE mindgraph_owner IN SCHEMA public
    GRANT USAGE, SELECT ON SEQUENCES TO mindgraph_user;
ALTER DEFAULT PRIVILEGES FOR ROLE mindgraph_owner IN SCHEMA public
    GRANT SELECT ON TABLES TO mindgraph_readonly;

-- What pgBackRest asks of the server, so that a backup needs no superuser.
GRANT EXECUTE ON FUNCTION pg_backup_start(text, boolean) TO mindgraph_backup;
GRANT EXECUTE ON FUNCTION pg_backup_stop(boolean) TO mindgraph_backup;
GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO mindgraph_backup;
GRANT EXECUTE ON FUNCTION pg_switch_wal() TO mindgraph_backup;
