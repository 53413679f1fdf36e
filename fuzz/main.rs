//! Fuzzing on stable Rust: `make fuzz TIME=60`, or `cargo run --example fuzz -- [--time SECONDS] [--seed NUMBER] [TARGET]…`.
//!
//! | file | what it knows |
//! |---|---|
//! | `targets` | what is fuzzed, and what must hold |
//! | `mutation` | how inputs are made |
//! | `engine` | how they are run, and which are kept |
//! | `corpus` | where each target begins, and what was found: `cargo test --test fuzz` runs all of it |
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs,
    reason = "a tool for developers"
)]

mod engine;
mod mutation;
mod targets;

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

fn main() -> ExitCode {
    let mut time = Duration::from_mins(1);
    let mut seed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut chosen = BTreeSet::new();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut number = || arguments.next().and_then(|text| text.parse().ok()).unwrap_or_else(|| usage());
        match argument.as_str() {
            "--time" => time = Duration::from_secs(number()),
            "--seed" => seed = number(),
            name if targets::ALL.iter().any(|target| target.name == name) => drop(chosen.insert(argument)),
            _ => usage(),
        }
    }
    let chosen: Vec<_> =
        targets::ALL.iter().filter(|target| chosen.is_empty() || chosen.contains(target.name)).collect();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    fs::create_dir_all(&folder).unwrap();
    // What panics is told in the end, and not for every input that a library lets panic and is contained.
    std::panic::set_hook(Box::new(|_| {}));
    let share = time / u32::try_from(chosen.len()).unwrap();
    for target in chosen {
        let current = folder.join(format!("{}.current", target.name));
        let started = Instant::now();
        match engine::fuzz(target, |_| started.elapsed() < share, seed, &current) {
            Ok(report) => {
                println!("{}: {} inputs, {} of them new in what they show", target.name, report.runs, report.kept);
            }
            Err(broken) => {
                let path = folder.join(format!("{}.broken", target.name));
                fs::write(&path, &broken.input).unwrap();
                println!("{} (seed {seed}): {}", target.name, broken.what);
                println!("the input is {}: mend it, and move it to fuzz/corpus/{}", path.display(), target.name);
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn usage() -> ! {
    let names: Vec<&str> = targets::ALL.iter().map(|target| target.name).collect();
    eprintln!("usage: fuzz [--time SECONDS] [--seed NUMBER] [TARGET]…, where a target is one of {}", names.join(", "));
    std::process::exit(2)
}
