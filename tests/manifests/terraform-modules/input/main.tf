module "orders" {
  source  = "./modules/database"
  version_of_postgres = "16.4"
}
module "audit" {
  source = "./modules/database"
}
module "remote" {
  source         = "terraform-aws-modules/rds/aws"
  version        = "6.1.0"
  engine         = "mysql"
  engine_version = "8.0.35"
  family         = "mysql8.0"
  parameters = [
    { name = "character_set_client", value = "utf8mb4" },
    { name = "long_query_time", value = "2" },
  ]
}
module "unknown" {
  source = "git::https://example.com/tf.git//rds?ref=v1.2.3"
  size   = "large"
}
module "alarms" {
  source = "git::https://example.com/tf.git//redis-alarms?ref=v7.2.1"
}
module "cluster" {
  source          = "terraform-aws-modules/eks/aws"
  version         = "20.0.0"
  cluster_version = "1.30"
}
