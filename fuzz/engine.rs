//! Makes inputs out of those that are known, runs a target on them, and keeps those that show something new.

use crate::{
    mutation::{Mutator, Random},
    targets::Target,
};
use std::{
    collections::HashSet,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

/// No input may take longer, in an unoptimized build.
const SLOW: Duration = Duration::from_secs(20);
/// Longer inputs are cut.
const MAX_LENGTH: usize = 64 * 1024;

/// What a run has done.
#[derive(Debug)]
pub struct Report {
    /// Inputs that were run.
    pub runs: u64,
    /// Inputs that showed something new.
    pub kept: usize,
}

/// An input that breaks what a target promises.
#[derive(Debug)]
pub struct Broken {
    /// The input.
    pub input: Vec<u8>,
    /// What it breaks.
    pub what: String,
}

/// The inputs that are kept of a target: where it begins, and what was found before.
#[must_use]
pub fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target.name);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Runs one input. What it showed, as a number.
///
/// # Errors
/// What the input breaks.
pub fn run(target: &Target, input: &[u8]) -> Result<u64, String> {
    let started = Instant::now();
    let shown = catch_unwind(AssertUnwindSafe(|| (target.run)(input))).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        text.unwrap_or("it panicked").to_owned()
    })?;
    if started.elapsed() > SLOW {
        return Err(format!("it took {:?}", started.elapsed()));
    }
    let mut hasher = DefaultHasher::new();
    shape(&shown).hash(&mut hasher);
    Ok(hasher.finish())
}

/// Without what differs from input to input: what is quoted, digits, long words.
fn shape(shown: &str) -> String {
    let unquoted: String = shown.split('"').step_by(2).collect();
    unquoted.chars().filter(|character| !character.is_ascii_digit()).take(200).collect()
}

/// Fuzzes a target as long as that goes on. An input that hangs or ends the process stays in `current`.
///
/// # Errors
/// The first input that breaks something.
pub fn fuzz(target: &Target, goes_on: impl Fn(&Report) -> bool, seed: u64, current: &Path) -> Result<Report, Broken> {
    let watchdog = Watchdog::start(target.name, current);
    let mut random = Random::new(seed);
    let mut known: Vec<Vec<u8>> = corpus(target).into_iter().map(|(_, input)| input).collect();
    let mutator = Mutator { tokens: target.tokens };
    let mut shown = HashSet::new();
    let mut report = Report { runs: 0, kept: 0 };
    while goes_on(&report) {
        let mut input = mutator.mutate(&mut random, &known);
        input.truncate(MAX_LENGTH);
        fs::write(current, &input).unwrap();
        watchdog.begin();
        let result = run(target, &input);
        report.runs += 1;
        match result {
            Ok(new) if shown.insert(new) => {
                report.kept += 1;
                known.push(input);
            }
            Ok(_) => {}
            Err(what) => return Err(Broken { input, what }),
        }
    }
    drop(watchdog);
    fs::remove_file(current).unwrap();
    Ok(report)
}

/// Ends the process when an input takes far too long.
struct Watchdog {
    since: Arc<Mutex<Instant>>,
    _ended: mpsc::Sender<()>,
}

impl Watchdog {
    fn start(name: &'static str, current: &Path) -> Self {
        let since = Arc::new(Mutex::new(Instant::now()));
        let (sender, ended) = mpsc::channel::<()>();
        let (watched, current) = (Arc::clone(&since), current.to_owned());
        thread::spawn(move || {
            while ended.recv_timeout(Duration::from_secs(1)) == Err(mpsc::RecvTimeoutError::Timeout) {
                if watched.lock().unwrap().elapsed() > SLOW * 3 {
                    eprintln!("{name}: an input takes far too long: {}", current.display());
                    std::process::exit(1);
                }
            }
        });
        Self { since, _ended: sender }
    }

    fn begin(&self) {
        *self.since.lock().unwrap() = Instant::now();
    }
}
