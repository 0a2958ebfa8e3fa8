resource "aws_elasticache_cluster" "cache" {
  engine         = "redis"
  engine_version = "7.0"
}
