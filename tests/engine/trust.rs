//! Variables of a clone that make programs run: they reach neither `.env` nor commands.

use crate::project::Sandbox;

const COMPOSE: &str = "services:\n  cache: {image: \"redis:7.0.15\"}\n  web:\n    image: acme/shop\n    environment:\n      \
                       REDIS_URL: redis://cache:6379/0\n      PATH: /evil\n      LD_PRELOAD: /evil.so\n      BASH_ENV: evil.sh\n      \
                       LEVEL: info\n";

#[test]
fn names_that_make_programs_run_reach_neither_env_files_nor_commands_unless_the_user_agrees() {
    let project = Sandbox::new(&[
        ("compose.prod.yaml", COMPOSE),
        ("services.local.yaml", "variables: {PS4: mine}\n"),
        (".env", "LD_AUDIT=./evil.so\nOWN=own\n"),
    ]);
    let up = project.succeed(&["up"]);
    assert!(up.stderr.contains("BASH_ENV, LD_PRELOAD, PATH, PS4"), "{}", up.stderr);
    let names: Vec<String> = project.env().into_keys().collect();
    assert_eq!(names, ["LD_AUDIT", "LEVEL", "OWN", "REDIS_URL"], "the user's own line stays in the file");
    for format in ["dotenv", "shell", "json", "github", "docker"] {
        let shown = project.succeed(&["env", "--format", format]).stdout;
        assert!(shown.contains("LEVEL") && !shown.contains("evil") && !shown.contains("PS4"), "{format}: {shown}");
    }
    let run = project.succeed(&["run", "--", "env"]);
    assert!(run.stdout.contains("LEVEL=info") && run.stdout.contains("OWN=own"), "{}", run.stdout);
    assert!(!run.stdout.contains("evil") && !run.stdout.contains("PS4"), "{}", run.stdout);
    assert!(run.stderr.contains("LD_AUDIT"), "{}", run.stderr);

    project.succeed(&["trust", "--yes"]);
    let run = project.succeed(&["run", "--", "env"]);
    assert!(run.stdout.contains("PS4=mine") && !run.stdout.contains("evil"), "{}", run.stdout);
    assert_eq!(project.env()["PS4"], "mine");
}
