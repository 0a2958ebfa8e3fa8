//! The code of the fuzz targets, with inputs that are the same each time: the code compiles, and its checks hold for
//! these inputs.

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, missing_docs, reason = "a library of its own, for `cargo fuzz`")]
mod targets;

/// This many pseudo-random bytes (xorshift); the same seed gives the same bytes.
fn bytes(number: u64, count: usize) -> Vec<u8> {
    let mut number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        number ^= number << 13;
        number ^= number >> 7;
        number ^= number << 17;
        u8::try_from(number >> 32 & 0xff).unwrap_or_default()
    };
    (0..count).map(|_| next()).collect()
}

#[test]
fn whatever_a_repository_holds_reading_it_ends_and_nothing_outside_is_read_or_written() {
    for number in 1..=300 {
        targets::repository::read(&bytes(number, 96));
    }
}

#[test]
fn whatever_a_file_holds_reading_it_ends() {
    let names = ["compose.yaml", "shown.json", "main.tf", "fly.toml", "services.yaml"];
    for number in 1..=200 {
        targets::read_as_one_of(&names, &bytes(number, 64));
    }
}
