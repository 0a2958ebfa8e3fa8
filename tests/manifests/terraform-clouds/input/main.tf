resource "google_sql_database_instance" "pg" {
  database_version = "POSTGRES_16"
  settings {
    tier = "db-custom-2-7680"
    database_flags {
      name  = "max_connections"
      value = 300
    }
    database_flags {
      name  = "cloudsql.iam_authentication"
      value = "on"
    }
  }
}
resource "google_sql_database" "shop" {
  instance = google_sql_database_instance.pg.name
  name     = "shop"
}
resource "google_sql_user" "shop" {
  instance = google_sql_database_instance.pg.name
  name     = "shop"
  password = "not-to-be-copied"
}
resource "google_sql_database_instance" "mysql" { database_version = "MYSQL_8_0_37" }
resource "google_redis_instance" "redis" {
  redis_version = "REDIS_6_X"
  redis_configs = { maxmemory-policy = "allkeys-lru" }
}
resource "google_pubsub_topic" "events" { name = "events" }

resource "azurerm_postgresql_flexible_server" "az" {
  version             = "15"
  administrator_login = "shop"
}
resource "azurerm_postgresql_flexible_server_configuration" "extensions" {
  server_id = azurerm_postgresql_flexible_server.az.id
  name      = "azure.extensions"
  value     = "PG_TRGM,UUID-OSSP,POSTGIS"
}
resource "azurerm_postgresql_flexible_server_configuration" "timeout" {
  server_id = azurerm_postgresql_flexible_server.az.id
  name      = "statement_timeout"
  value     = "30000"
}
resource "azurerm_postgresql_flexible_server_database" "shop" {
  server_id = azurerm_postgresql_flexible_server.az.id
  name      = "shop"
}
resource "azurerm_redis_cache" "az_cache" {
  redis_version = 6
  redis_configuration {
    maxmemory_policy   = "volatile-lru"
    maxmemory_reserved = 100
  }
}
resource "digitalocean_database_cluster" "do_pg" {
  engine  = "pg"
  version = "16"
}
resource "digitalocean_database_cluster" "do_valkey" {
  engine          = "valkey"
  version         = "8"
  eviction_policy = "allkeys_lru"
}
resource "heroku_addon" "pg" {
  plan   = "heroku-postgresql:standard-0"
  config = { version = "15" }
}
resource "cloudfoundry_service_instance" "queue" {
  service_plan = data.cloudfoundry_service.rabbitmq.service_plans["small"]
}
