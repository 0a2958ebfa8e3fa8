pg_version = "16.4"
