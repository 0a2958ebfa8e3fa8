//! `${…}` in every place of a Compose file where it counts, and in the `.env` beside it.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: (&str, &str)| {
    let (text, env) = data;
    let compose = serde_json::json!({
        "services": {
            "web": { "image": "shop", "environment": { "DATABASE_URL": text, "URL": format!("postgres://{text}@db/x") } },
            "db": {
                "image": format!("postgres:{text}"), "environment": [format!("POSTGRES_DB={text}"), text],
                "command": text, "ports": [text], "env_file": "extra.env",
            },
        }
    });
    devenv_fuzz::read(&[
        ("compose.yaml", compose.to_string().as_bytes()),
        (".env", env.as_bytes()),
        ("extra.env", text.as_bytes()),
    ]);
});
