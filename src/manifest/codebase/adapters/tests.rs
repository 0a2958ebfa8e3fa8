//! Stand-ins, and settings that only look like stand-ins.

use super::*;
use crate::model::{Origin, SourceFile, Template, Variable, VersionClass};
use std::fs;
use std::sync::Arc;

fn origin() -> Origin {
    Origin::start_of(&Arc::new(SourceFile { path: "compose.prod.yaml".into(), text: String::new() }))
}

fn service(name: &str, kind: &str) -> Service {
    let version = crate::model::Version {
        text: "16".to_owned(),
        number: Some("16".to_owned()),
        class: VersionClass::Series,
        origin: origin(),
    };
    Service::new(name, kind, "official", version, origin())
}

fn stack(services: &[&str], variables: &[(&str, Value)]) -> Stack {
    Stack {
        services: services.iter().map(|kind| service(&format!("{kind}-1"), kind)).collect(),
        variables: variables
            .iter()
            .map(|(name, value)| Variable {
                name: (*name).to_owned(),
                app: "web".to_owned(),
                value: value.clone(),
                origin: origin(),
            })
            .collect(),
        ..Stack::default()
    }
}

fn everything() -> Stack {
    stack(&["postgres", "redis", "rabbitmq"], &[])
}

fn differences(files: &[(&str, &str)], stack: &Stack) -> Vec<Difference> {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let kinds = Kinds::built_in().unwrap();
    let (found, told) = adapters(folder.path(), stack, &kinds, &Budget::default()).unwrap();
    assert_eq!(told, [], "all of it is read");
    found
}

/// `service: value at place` of each.
fn found_in(files: &[(&str, &str)], stack: &Stack) -> Vec<String> {
    let show = |difference: &Difference| {
        let place = difference.origin.as_ref().unwrap();
        format!("{}: {} at {place}", difference.service, difference.said[1].value)
    };
    differences(files, stack).iter().map(show).collect()
}

fn found(files: &[(&str, &str)]) -> Vec<String> {
    found_in(files, &everything())
}

fn url(service: &str) -> Value {
    Value::Bound { template: Template::field(service, "url"), dropped: Vec::new() }
}

const NOTHING: [&str; 0] = [];

mod rails {
    use super::*;

    const PRODUCTION: &str = "production:\n  url: <%= ENV[\"DATABASE_URL\"] %>\n";

    #[test]
    fn sqlite_in_development_is_reported_with_its_line_and_advice() {
        let text = format!(
            "default: &default\n  pool: <%= ENV.fetch(\"T\") {{ 5 }} %>\n\ndevelopment:\n  <<: *default\n  adapter: sqlite3\n  database: db/development.sqlite3\n\n{PRODUCTION}"
        );
        let stack = stack(
            &["postgres"],
            &[("DATABASE_HOST", Value::Plain("x".to_owned())), ("DATABASE_URL", url("postgres-1"))],
        );
        let found = differences(&[("config/database.yml", &text)], &stack);
        let [difference] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((difference.code, difference.impact, difference.gap), ("adapter", Impact::Breaks, Gap::Tools));
        assert_eq!(difference.subject, "Rails database in development");
        let said: Vec<(&str, &str)> = difference.said.iter().map(|it| (it.side.as_str(), it.value.as_str())).collect();
        assert_eq!(said, [("manifest", "Postgres 16"), ("config/database.yml:6", "sqlite3")]);
        assert_eq!(difference.origin.as_ref().unwrap().to_string(), "config/database.yml:6:12");
        assert!(difference.why.contains("differ from Postgres"), "{}", difference.why);
        assert!(difference.help[0].contains("ENV[\"DATABASE_URL\"]"), "{:?}", difference.help);
        assert!(difference.source.starts_with("https://guides.rubyonrails.org/"));
    }

    #[test]
    fn an_anchors_adapter_and_each_of_several_databases_count() {
        let text = format!("default: &default\n  adapter: sqlite3\ndevelopment:\n  <<: *default\n{PRODUCTION}");
        assert_eq!(found(&[("config/database.yml", &text)]), ["postgres-1: sqlite3 at config/database.yml:2:12"]);
        let text = "development:\n  primary:\n    adapter: postgresql\n  cache:\n    adapter: sqlite3\n    migrations_paths: db/c\n\
                    production:\n  primary:\n    adapter: postgresql\n  cache:\n    adapter: postgresql\n";
        assert_eq!(found(&[("config/database.yml", text)]), ["postgres-1: sqlite3 at config/database.yml:5:14"]);
    }

    #[test]
    fn a_value_that_is_no_stand_in_of_development_is_no_finding() {
        for text in [
            // Other sections, comments, ERB, a stand-in that production uses itself, another adapter.
            "development:\n  adapter: postgresql\ntest:\n  adapter: sqlite3\n",
            "development:\n  # adapter: sqlite3\n  adapter: postgresql\n",
            "development:\n  adapter: <%= ENV[\"DB_ADAPTER\"] || \"sqlite3\" %>\n",
            "development:\n  url: <%= ENV[\"DATABASE_URL\"] %>\n  adapter: sqlite3\n",
            "development:\n  adapter: sqlite3\nproduction:\n  adapter: sqlite3\n",
            "development:\n  adapter: postgresql\n  database: sqlite3\n",
            "<% if ENV[\"CI\"] %>\ndevelopment:\n  adapter: postgresql\n<% end %>\n",
            "development: [\n",
        ] {
            assert_eq!(found(&[("config/database.yml", text)]), NOTHING, "{text}");
        }
        let text = "development:\n  adapter: sqlite3\n";
        assert_eq!(
            found_in(&[("config/database.yml", text)], &stack(&["redis"], &[])),
            NOTHING,
            "there is no database"
        );
        assert_eq!(found(&[("spec/dummy/config/database.yml", text)]), NOTHING, "an app for tests");
    }

    #[test]
    fn a_variable_overrules_the_files_first_production_database() {
        let text = "development:\n  adapter: sqlite3\nproduction:\n  adapter: sqlite3\n";
        let stack = stack(&["postgres"], &[("DATABASE_URL", url("postgres-1"))]);
        assert_eq!(found_in(&[("config/database.yml", text)], &stack).len(), 1);
    }

    #[test]
    fn caches_queues_and_cables_count_where_production_has_a_service() {
        let database = ("config/database.yml", "development:\n  adapter: postgresql\n");
        let development = "Rails.application.configure do\n  if Rails.root.join(\"tmp/caching-dev.txt\").exist?\n    \
                           config.cache_store = :memory_store\n  else\n    config.cache_store = :null_store\n  end\n  \
                           config.active_job.queue_adapter = :async\nend\n";
        let production = "config.cache_store = :redis_cache_store, { url: ENV[\"REDIS_URL\"] }\nconfig.active_job.queue_adapter = :sidekiq\n";
        let cable = "development:\n  adapter: async\ntest:\n  adapter: test\nproduction:\n  adapter: redis\n  url: <%= ENV.fetch(\"REDIS_URL\") %>\n";
        let files = [
            database,
            ("config/environments/development.rb", development),
            ("config/environments/production.rb", production),
            ("config/cable.yml", cable),
        ];
        assert_eq!(
            found(&files),
            [
                "redis-1: async at config/cable.yml:2:12",
                "redis-1: :memory_store at config/environments/development.rb:3:27",
                "redis-1: :async at config/environments/development.rb:7:38",
            ]
        );
        let impacts: Vec<Impact> = differences(&files, &everything()).iter().map(|it| it.impact).collect();
        assert_eq!(impacts, [Impact::Behaves; 3]);
        assert_eq!(found_in(&files, &stack(&["postgres"], &[])), NOTHING, "there is no Redis");
        let same = "config.cache_store = :memory_store\n# config.active_job.queue_adapter = :sidekiq\n";
        let files = [database, files[1], ("config/environments/production.rb", same)];
        assert_eq!(found(&files), NOTHING, "production has none either");
        let decides = "config.cache_store = ENV[\"REDIS_URL\"] ? :redis_cache_store : :memory_store\n";
        let files = [
            database,
            ("config/environments/development.rb", decides),
            ("config/environments/production.rb", production),
        ];
        assert_eq!(found(&files), NOTHING, "a variable decides");
    }

    #[test]
    fn an_adapter_for_all_environments_is_productions_too() {
        let files = [
            ("config/database.yml", "development:\n  adapter: postgresql\n"),
            ("config/application.rb", "    config.active_job.queue_adapter = :sidekiq\n"),
            ("config/environments/development.rb", "  config.active_job.queue_adapter = :inline\n"),
            ("config/environments/production.rb", "  # config.active_job.queue_adapter = :resque\n"),
        ];
        assert_eq!(found(&files), ["redis-1: :inline at config/environments/development.rb:1:38"]);
    }
}

mod django {
    use super::*;

    const MANAGE: (&str, &str) = ("manage.py", "");
    const SQLITE: &str = "DATABASES = {\n    'default': {\n        'ENGINE': 'django.db.backends.sqlite3',\n        'NAME': BASE_DIR / 'db.sqlite3',\n    }\n}\n";
    const POSTGRES: &str =
        "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['DB']}}\n";

    fn settings(text: &str) -> Vec<String> {
        found(&[MANAGE, ("shop/settings.py", text)])
    }

    #[test]
    fn sqlite_is_reported_wherever_development_gets_it() {
        assert_eq!(settings(SQLITE), ["postgres-1: django.db.backends.sqlite3 at shop/settings.py:3:20"]);
        let branches = "if DEBUG:\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\nelse:\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\n";
        assert_eq!(settings(branches), ["postgres-1: django.db.backends.sqlite3 at shop/settings.py:2:41"]);
        let classes = "class Dev(Base):\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\nclass Prod(Base):\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}}\n";
        assert_eq!(settings(classes), ["postgres-1: django.db.backends.sqlite3 at shop/settings.py:2:41"]);
        let files = [MANAGE, ("config/settings/base.py", POSTGRES), ("config/settings/local.py", SQLITE)];
        assert_eq!(found(&files), ["postgres-1: django.db.backends.sqlite3 at config/settings/local.py:3:20"]);
        let files = [MANAGE, ("shop/settings/base.py", SQLITE), ("shop/settings/production.py", POSTGRES)];
        assert_eq!(found(&files), ["postgres-1: django.db.backends.sqlite3 at shop/settings/base.py:3:20"]);
    }

    #[test]
    fn a_value_that_a_variable_or_another_file_decides_is_no_finding() {
        for text in [
            "DATABASES = {'default': env.db('DATABASE_URL', default='sqlite:///db.sqlite3')}\n".to_owned(),
            "DATABASES = {'default': dj_database_url.config(default='sqlite:///db.sqlite3')}\n".to_owned(),
            "DATABASES = {'default': {'ENGINE': os.environ.get('DB_ENGINE', 'django.db.backends.sqlite3')}}\n".to_owned(),
            format!("{SQLITE}DATABASES['default'] = dj_database_url.config()\n"),
            format!("{SQLITE}if 'DATABASE_URL' in os.environ:\n    DATABASES['default'] = {{'ENGINE': 'x'}}\n"),
            format!("{SQLITE}DATABASES['default'].update(dj_database_url.config(conn_max_age=500))\n"),
            format!("{SQLITE}{POSTGRES}"),
            "if 'test' in sys.argv:\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n".to_owned(),
            format!("\"\"\"\n{SQLITE}\"\"\"\n{POSTGRES}"),
            "# DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n".to_owned(),
            "DATABASES = {'default': {'ENGINE': 'django.db.backends.postgresql'}, 'old': {'ENGINE': 'django.db.backends.sqlite3'}}\n".to_owned(),
            "class Test(Base):\n    DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3'}}\n".to_owned(),
        ] {
            assert_eq!(settings(&text), NOTHING, "{text}");
        }
        assert_eq!(found(&[("shop/settings.py", SQLITE)]), NOTHING, "no Django");
        assert_eq!(found(&[MANAGE, ("shop/settings/test.py", SQLITE), ("shop/settings/base.py", POSTGRES)]), NOTHING);
        let files = [MANAGE, ("shop/settings/base.py", SQLITE), ("shop/settings/dev.py", POSTGRES)];
        assert_eq!(found(&files), NOTHING, "development has its own");
        let files = [MANAGE, ("shop/settings/base.py", SQLITE), ("shop/settings/production.py", SQLITE)];
        assert_eq!(found(&files), NOTHING, "production uses it too");
        assert_eq!(found(&[MANAGE, ("tests/settings.py", SQLITE)]), NOTHING);
    }

    #[test]
    fn a_cache_counts_where_production_has_a_server_for_it() {
        let local = "CACHES = {'default': {'BACKEND': 'django.core.cache.backends.locmem.LocMemCache'}}\n";
        let redis =
            "CACHES = {'default': {'BACKEND': 'django_redis.cache.RedisCache', 'LOCATION': env('REDIS_URL')}}\n";
        let files = [MANAGE, ("shop/settings/base.py", redis), ("shop/settings/dev.py", local)];
        let line =
            |file: &str| format!("redis-1: django.core.cache.backends.locmem.LocMemCache at shop/settings/{file}:1:35");
        assert_eq!(found(&files), [line("dev.py")]);
        assert_eq!(differences(&files, &everything())[0].impact, Impact::Behaves);
        let files = [MANAGE, ("shop/settings/base.py", local), ("shop/settings/production.py", redis)];
        assert_eq!(found(&files), [line("base.py")]);
        assert_eq!(settings(local), NOTHING, "production may have the same");
        assert_eq!(found(&[MANAGE, ("shop/settings/base.py", local), ("shop/settings/production.py", local)]), NOTHING);
        let branches = format!("if DEBUG:\n    {local}else:\n    {redis}");
        assert_eq!(settings(&branches).len(), 1);
    }

    #[test]
    fn celerys_brokers_within_the_process_are_reported() {
        let text = "CELERY_BROKER_URL = 'memory://'\n";
        assert_eq!(settings(text), ["redis-1: memory:// at shop/settings.py:1:22"]);
        for (name, text, column) in [
            ("shop/celery.py", "app = Celery('shop', broker='memory://')\n", 30),
            ("celeryconfig.py", "broker_url = \"filesystem://\"\n", 15),
            ("shop/celery.py", "app.conf.broker_url = 'memory://localhost/'\n", 24),
            ("tasks.py", "app.conf.update(\n    task_serializer='json', broker_url='memory://')\n", 41),
        ] {
            let found = found(&[(name, text)]);
            let line = text.matches('\n').count();
            assert_eq!(found.len(), 1, "{text}");
            assert!(found[0].ends_with(&format!("{name}:{line}:{column}")), "{found:?}");
        }
        for text in [
            "app = Celery('shop', broker=os.environ.get('BROKER', 'memory://'))\n",
            "# app = Celery('shop', broker='memory://')\n",
            "app = Celery('shop', broker='redis://localhost', backend='memory://')\n",
            "if 'pytest' in sys.modules:\n    app.conf.broker_url = 'memory://'\n",
            "app = Celery('shop', broker='memory://' if TESTING else url)\n",
            "log('broker=memory://')\n",
            "connect(broker='memory://')\n",
        ] {
            assert_eq!(found(&[("shop/celery.py", text)]), NOTHING, "{text}");
        }
        assert_eq!(settings("CELERY_BROKER_URL = env('BROKER_URL', default='memory://')\n"), NOTHING);
        assert_eq!(found(&[("tests/celery.py", "app = Celery('x', broker='memory://')\n")]), NOTHING);
    }

    #[test]
    fn eager_tasks_are_reported_in_developments_files() {
        let eager = "CELERY_TASK_ALWAYS_EAGER = True\n";
        let files = [MANAGE, ("shop/settings/dev.py", eager)];
        assert_eq!(found(&files), ["redis-1: tasks run eagerly at shop/settings/dev.py:1:28"]);
        assert_eq!(settings(&format!("if DEBUG:\n    {eager}")).len(), 1);
        assert_eq!(settings(eager), NOTHING, "production's too");
        assert_eq!(found(&[MANAGE, ("shop/settings/dev.py", "CELERY_TASK_ALWAYS_EAGER = env('EAGER')\n")]), NOTHING);
    }
}

mod laravel {
    use super::*;

    const ARTISAN: (&str, &str) = ("artisan", "");

    fn example(text: &str, stack: &Stack) -> Vec<String> {
        found_in(&[ARTISAN, (".env.example", text)], stack)
    }

    #[test]
    fn drivers_of_the_example_are_reported_if_production_has_others() {
        let text = "APP_ENV=local\n\nDB_CONNECTION=sqlite\n# DB_HOST=127.0.0.1\nCACHE_STORE=file\nQUEUE_CONNECTION=sync\nSESSION_DRIVER=file\n";
        assert_eq!(
            example(text, &everything()),
            [
                "postgres-1: DB_CONNECTION=sqlite at .env.example:3:15",
                "redis-1: CACHE_STORE=file at .env.example:5:13",
                "redis-1: QUEUE_CONNECTION=sync at .env.example:6:18",
            ]
        );
        let plain = |text: &str| Value::Plain(text.to_owned());
        let stack = stack(
            &["mysql", "redis"],
            &[
                ("SESSION_DRIVER", plain("redis")),
                ("CACHE_STORE", plain("file")),
                ("QUEUE_CONNECTION", plain("database")),
            ],
        );
        assert_eq!(
            example(text, &stack),
            ["mysql-1: DB_CONNECTION=sqlite at .env.example:3:15", "redis-1: SESSION_DRIVER=file at .env.example:7:16"]
        );
    }

    #[test]
    fn a_value_that_is_no_stand_in_of_development_is_no_finding() {
        for text in [
            "DB_CONNECTION=pgsql\n",
            "#DB_CONNECTION=sqlite\n",
            "DB_CONNECTION_OLD=sqlite\n",
            "NOTE=\"\nDB_CONNECTION=sqlite\n\"\n",
            // Redis is there for the queue; the cache may be a file in production too.
            "CACHE_STORE=file\nQUEUE_CONNECTION=redis\n",
            "CACHE_STORE=database\nQUEUE_CONNECTION=database\n",
        ] {
            assert_eq!(example(text, &everything()), NOTHING, "{text}");
        }
        assert_eq!(found(&[(".env.example", "DB_CONNECTION=sqlite\n")]), NOTHING, "no Laravel");
        assert_eq!(example("DB_CONNECTION=sqlite\n", &stack(&["redis"], &[])), NOTHING, "there is no database");
        let stack = stack(&["postgres"], &[("DB_CONNECTION", Value::Plain("sqlite".to_owned()))]);
        assert_eq!(example("DB_CONNECTION=sqlite\n", &stack), NOTHING, "production uses it too");
    }

    #[test]
    fn a_default_that_no_variable_changes_is_reported() {
        let php =
            |line: &str| found(&[ARTISAN, ("config/database.php", &format!("<?php\nreturn [\n    {line}\n];\n"))]);
        assert_eq!(php("'default' => 'sqlite',"), ["postgres-1: sqlite at config/database.php:3:19"]);
        assert_eq!(php("'default' => env('DB_CONNECTION', 'sqlite'),"), NOTHING);
        assert_eq!(php("// 'default' => 'sqlite',"), NOTHING);
    }
}

mod spring {
    use super::*;

    const RESOURCES: &str = "src/main/resources";

    fn in_file(name: &str, text: &str) -> Vec<String> {
        found(&[(&format!("{RESOURCES}/{name}"), text)])
    }

    #[test]
    fn embedded_databases_and_caches_of_development_profiles_are_reported() {
        for (name, text, place) in [
            ("application-dev.properties", "# x\nspring.datasource.url=jdbc:h2:mem:shop\n", "2:23"),
            ("application-local.yml", "spring:\n  datasource:\n    url: jdbc:hsqldb:mem:shop\n", "3:10"),
            ("application-dev.yaml", "spring.datasource.url: jdbc:h2:file:./shop\n", "1:24"),
            (
                "application.yml",
                "spring: {datasource: {url: \"jdbc:postgresql://db/shop\"}}\n---\nspring:\n  config.activate.on-profile: dev\n  datasource:\n    url: jdbc:h2:mem:shop\n",
                "6:10",
            ),
            (
                "application.properties",
                "a=b\n#---\nspring.config.activate.on-profile=local\nspring.datasource.url=jdbc:h2:mem:shop\n",
                "4:23",
            ),
        ] {
            let found = in_file(name, text);
            assert_eq!(found.len(), 1, "{name}: {text}");
            assert!(
                found[0].starts_with("postgres-1: jdbc:") && found[0].ends_with(&format!("{name}:{place}")),
                "{found:?}"
            );
        }
        let found = in_file("application-dev.yml", "spring:\n  cache:\n    type: simple\n");
        assert_eq!(found, ["redis-1: simple at src/main/resources/application-dev.yml:3:11"]);
        let files = [
            ("api/src/main/resources/application.properties", "spring.datasource.url=jdbc:h2:mem:x\n"),
            ("api/src/main/resources/application-prod.properties", "spring.datasource.url=jdbc:postgresql://db/x\n"),
        ];
        assert_eq!(super::found(&files).len(), 1, "only production has another");
    }

    #[test]
    fn a_value_that_is_no_stand_in_of_development_is_no_finding() {
        for (name, text) in [
            ("application-dev.properties", "#spring.datasource.url=jdbc:h2:mem:shop\n"),
            ("application-dev.properties", "spring.datasource.url=${DB_URL:jdbc:h2:mem:shop}\n"),
            ("application-dev.properties", "spring.datasource.url=jdbc:postgresql://localhost/shop\n"),
            ("application-dev.properties", "note=spring.datasource.url=jdbc:h2:mem:shop\n"),
            ("application-test.properties", "spring.datasource.url=jdbc:h2:mem:shop\n"),
            ("application.properties", "spring.datasource.url=jdbc:h2:mem:shop\n"),
            ("application-dev.yml", "spring:\n  h2:\n    console: {enabled: true}\n"),
            ("application-dev.yml", "spring:\n  cache:\n    type: redis\n"),
        ] {
            assert_eq!(in_file(name, text), NOTHING, "{name}: {text}");
        }
        let dev = ("src/test/resources/application-dev.properties", "spring.datasource.url=jdbc:h2:mem:shop\n");
        assert_eq!(found(&[dev]), NOTHING);
        let h2 = "spring.datasource.url=jdbc:h2:file:./shop\n";
        let files = [
            ("src/main/resources/application-dev.properties", h2),
            ("src/main/resources/application-prod.properties", h2),
        ];
        assert_eq!(found(&files), NOTHING, "production uses it too");
    }
}
