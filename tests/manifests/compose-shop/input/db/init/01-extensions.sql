CREATE EXTENSION IF NOT EXISTS pg_trgm;
create extension "uuid-ossp";
