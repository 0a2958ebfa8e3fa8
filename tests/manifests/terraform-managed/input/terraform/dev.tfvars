pg_version = "17.0"
