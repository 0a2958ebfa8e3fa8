module "db" {
  source = "../../outside"
}
resource "aws_db_instance" "db" {
  engine         = "postgres"
  engine_version = file("/etc/passwd")
}
