variable "pg_version" { default = "16.4" }
variable "redis_version" { type = string }

job "shop" {
  group "db" {
    task "init" {
      driver = "docker"
      lifecycle { hook = "prestart" }
      config { image = "postgres:16" }
    }
    task "postgres" {
      driver = "docker"
      config {
        image = "postgres:${var.pg_version}"
        args  = ["-c", "max_connections=250"]
      }
      env {
        POSTGRES_DB       = "shop"
        POSTGRES_USER     = "shop"
        POSTGRES_PASSWORD = "example"
      }
      service { name = "shop-db" }
      resources { memory = 512 }
    }
  }
  group "cache" {
    task "redis" {
      driver = "docker"
      config { image = "redis:${var.redis_version}" }
    }
  }
  group "web" {
    task "web" {
      driver = "docker"
      config { image = "example/shop:${NOMAD_META_tag}" }
      env {
        DATABASE_URL = "postgres://shop:example@shop-db.service.consul:5432/shop"
        PORT         = "${NOMAD_PORT_http}"
      }
      template {
        env  = true
        data = <<-EOT
          {{ with secret "kv/shop" }}
          STRIPE_KEY={{ .Data.stripe }}
          {{ end }}
          LOG_LEVEL=info
        EOT
      }
    }
  }
}
