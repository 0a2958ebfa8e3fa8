resource "aws_db_instance" "main" {
  identifier     = "shop-production"
  engine         = "postgres"
  engine_version = "16.4"
  db_name        = "shop"
}

resource "aws_elasticache_cluster" "sessions" {
  cluster_id     = "shop-sessions"
  engine         = "redis"
  engine_version = "7.0"
}

resource "aws_elasticache_cluster" "reports" {
  cluster_id     = "shop-reports"
  engine         = "redis"
  engine_version = "6.2"
}
