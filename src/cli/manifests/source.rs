//! Files, folders and standard input, read whole and checked to be text.

use std::{
    collections::HashSet,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};
use walkdir::{DirEntry, WalkDir};

/// The most bytes of one file, and of standard input.
pub const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// The most bytes of all files together.
pub const MAX_TOTAL_BYTES: u64 = 256 * 1024 * 1024;
/// The name of standard input on the command line and in messages.
pub const STANDARD_INPUT: &str = "-";
/// What manifests in folders are called.
const EXTENSIONS: [&str; 3] = ["yaml", "yml", "json"];

/// A text, and where it comes from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as it was given, or as it was found below the folder that was given; `-` for standard input.
    pub path: Arc<str>,
    /// What it holds.
    pub text: String,
    /// Whether it was found in a folder rather than named.
    pub is_found: bool,
}

/// What cannot be read, as a sentence that begins with the path.
pub type Unreadable = String;

/// Reads every file once, in the order in which they are given; those of a folder in the order of their names.
///
/// # Errors
/// A sentence for each that cannot be read.
pub fn read(paths: &[PathBuf], input: &mut dyn Read) -> (Vec<Source>, Vec<Unreadable>) {
    let mut reader = Reader { input, total: 0, seen: HashSet::new(), sources: Vec::new(), unreadable: Vec::new() };
    for path in paths {
        reader.read(path);
    }
    (reader.sources, reader.unreadable)
}

struct Reader<'a> {
    input: &'a mut dyn Read,
    total: u64,
    /// The real paths of what was read, as links may lead to one file in several ways.
    seen: HashSet<PathBuf>,
    sources: Vec<Source>,
    unreadable: Vec<Unreadable>,
}

impl Reader<'_> {
    fn read(&mut self, path: &Path) {
        if path.as_os_str() == STANDARD_INPUT {
            if self.seen.insert(path.to_owned()) {
                let bytes = take(&mut *self.input);
                self.keep(STANDARD_INPUT, bytes, false);
            }
        } else if path.is_dir() {
            self.read_folder(path);
        } else {
            self.read_file(path, false);
        }
    }

    fn read_folder(&mut self, folder: &Path) {
        let before = self.sources.len() + self.unreadable.len();
        let mut is_empty = true;
        let entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
        for entry in entries.filter_entry(|entry| entry.depth() == 0 || !is_hidden(entry)) {
            match entry {
                Ok(entry) if is_manifest(&entry) => {
                    is_empty = false;
                    self.read_file(entry.path(), true);
                }
                Ok(_) => {}
                Err(error) => self.unreadable.push(walk_error(folder, &error)),
            }
        }
        if is_empty && before == self.sources.len() + self.unreadable.len() {
            self.unreadable
                .push(format!("{}: there is no file in it whose name ends in .yaml, .yml or .json", folder.display()));
        }
    }

    fn read_file(&mut self, path: &Path, is_found: bool) {
        // A pipe has no real path of its own, and is read as it is.
        if let Ok(real) = path.canonicalize()
            && !self.seen.insert(real)
        {
            return;
        }
        let bytes = File::open(path).and_then(|mut file| take(&mut file));
        self.keep(&path.display().to_string(), bytes, is_found);
    }

    fn keep(&mut self, path: &str, bytes: io::Result<Vec<u8>>, is_found: bool) {
        let text = bytes.map_err(|error| io_problem(&error)).and_then(|bytes| self.text(bytes));
        match text {
            Ok(text) => self.sources.push(Source { path: path.into(), text, is_found }),
            Err(problem) => self.unreadable.push(format!("{path}: {problem}")),
        }
    }

    fn text(&mut self, bytes: Vec<u8>) -> Result<String, String> {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.total = self.total.saturating_add(length);
        if length > MAX_BYTES {
            return Err(format!("it has more than {} MiB: split it", MAX_BYTES >> 20));
        }
        if self.total > MAX_TOTAL_BYTES {
            return Err(format!("all files together have more than {} MiB: name fewer", MAX_TOTAL_BYTES >> 20));
        }
        if bytes.contains(&0) {
            return Err("it is a binary file, not YAML or JSON".to_owned());
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            format!("it is not UTF-8 text (byte {}), as YAML and JSON are", error.utf8_error().valid_up_to() + 1)
        })?;
        Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
    }
}

/// All bytes, or one more than may be.
fn take(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with('.')
}

fn is_manifest(entry: &DirEntry) -> bool {
    let extension = entry.path().extension().and_then(|extension| extension.to_str());
    entry.file_type().is_file() && extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

fn walk_error(folder: &Path, error: &walkdir::Error) -> Unreadable {
    let path = error.path().unwrap_or(folder).display();
    match (error.loop_ancestor(), error.io_error()) {
        (Some(ancestor), _) => {
            format!("{path}: this link leads back to {}, in which it lies: remove it", ancestor.display())
        }
        (None, Some(error)) => format!("{path}: {}", io_problem(error)),
        (None, None) => format!("{path}: it cannot be read"),
    }
}

fn io_problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}
