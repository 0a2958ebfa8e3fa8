locals {
  a = local.b
  b = local.a
  grown = concat(local.more, local.more)
  more  = concat(local.grown, local.grown)
}
module "self" { source = "./" }
resource "aws_db_instance" "db" {
  engine         = "postgres"
  engine_version = local.a
}
resource "aws_elasticache_cluster" "cache" {
  engine         = "redis"
  engine_version = local.more[0]
}
