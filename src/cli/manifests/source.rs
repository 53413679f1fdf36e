//! Files, folders, and standard input, read as a whole and checked to be text.

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
const LEADS_OUT: &str = "it is a link that leads out of the folder, and is not followed: name it by itself";
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

/// What cannot be read: the path, and a sentence.
pub type UnreadableSource = (Arc<str>, String);

/// All paths, as one.
#[must_use]
pub fn all_paths(sources: &[Source]) -> Arc<str> {
    let first = sources.first().map(|source| Arc::clone(&source.path)).unwrap_or_default();
    match sources.len() {
        0 | 1 => first,
        more => format!("{first} and {} more", more - 1).into(),
    }
}

/// Reads every file once, in the order in which they are given; those of a folder in the order of their names.
///
/// # Errors
/// A sentence for each that cannot be read.
pub fn read(paths: &[PathBuf], input: &mut dyn Read) -> (Vec<Source>, Vec<UnreadableSource>) {
    let mut reader = InputReader { input, total: 0, seen: HashSet::new(), sources: Vec::new(), unreadable: Vec::new() };
    for path in paths {
        reader.read(path);
    }
    (reader.sources, reader.unreadable)
}

struct InputReader<'a> {
    input: &'a mut dyn Read,
    total: u64,
    /// The real paths of what was read, as links may lead to one file in several ways.
    seen: HashSet<PathBuf>,
    sources: Vec<Source>,
    unreadable: Vec<UnreadableSource>,
}

impl InputReader<'_> {
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
        let root = folder.canonicalize().ok();
        let leads_out = |entry: &DirEntry| {
            let real = entry.path_is_symlink().then(|| entry.path().canonicalize().ok()).flatten();
            real.is_some_and(|real| root.as_ref().is_none_or(|root| !real.starts_with(root)))
        };
        let mut entries = WalkDir::new(folder).follow_links(true).sort_by_file_name().into_iter();
        while let Some(entry) = entries.next() {
            match entry {
                Ok(entry) if is_hidden(&entry) || self.is_known_folder(&entry) => {
                    if entry.file_type().is_dir() {
                        is_empty &= is_hidden(&entry);
                        entries.skip_current_dir();
                    }
                }
                // What lies elsewhere is nobody's manifest before somebody names it: a line of it could be shown.
                Ok(entry) if entry.depth() > 0 && leads_out(&entry) => {
                    if entry.file_type().is_dir() {
                        entries.skip_current_dir();
                    }
                    if entry.file_type().is_dir() || has_extension(&entry) {
                        is_empty = false;
                        self.unreadable.push((shown(entry.path()), LEADS_OUT.to_owned()));
                    }
                }
                Ok(entry) if is_manifest(&entry) => {
                    is_empty = false;
                    self.read_file(entry.path(), true);
                }
                Ok(_) => {}
                // A link to a folder in which it lies: that is gone through already.
                Err(error) if error.loop_ancestor().is_some() => {}
                Err(error) => self.unreadable.push(walk_error(folder, &error)),
            }
        }
        if is_empty && before == self.sources.len() + self.unreadable.len() {
            let problem = "there is no file in it whose name ends in .yaml, .yml or .json".to_owned();
            self.unreadable.push((shown(folder), problem));
        }
    }

    /// Whether a folder was gone through already: with some links, folders in each other have more ways than anyone can go.
    fn is_known_folder(&mut self, entry: &DirEntry) -> bool {
        entry.file_type().is_dir() && entry.path().canonicalize().is_ok_and(|real| !self.seen.insert(real))
    }

    fn read_file(&mut self, path: &Path, is_found: bool) {
        // A pipe has no real path of its own, and is read as it is.
        if let Ok(real) = path.canonicalize()
            && !self.seen.insert(real)
        {
            return;
        }
        if self.total > MAX_TOTAL_BYTES {
            return;
        }
        self.keep(&shown(path), take_file(path), is_found);
    }

    fn keep(&mut self, path: &str, bytes: Result<Vec<u8>, String>, is_found: bool) {
        match bytes.and_then(|bytes| self.text(bytes)) {
            Ok(text) => self.sources.push(Source { path: path.into(), text, is_found }),
            Err(problem) => self.unreadable.push((path.into(), problem)),
        }
    }

    fn text(&mut self, bytes: Vec<u8>) -> Result<String, String> {
        self.total = self.total.saturating_add(u64::try_from(bytes.len()).unwrap_or(u64::MAX));
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

fn take_file(path: &Path) -> Result<Vec<u8>, String> {
    let mut file = File::open(path).map_err(|error| io_problem(&error))?;
    let length = file.metadata().map_err(|error| io_problem(&error))?.len();
    if length > MAX_BYTES { Err(too_large()) } else { take(&mut file) }
}

fn take(reader: &mut dyn Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|error| io_problem(&error))?;
    if u64::try_from(read).is_ok_and(|read| read <= MAX_BYTES) { Ok(bytes) } else { Err(too_large()) }
}

fn too_large() -> String {
    format!("it has more than {} MiB: split it", MAX_BYTES >> 20)
}

fn is_hidden(entry: &DirEntry) -> bool {
    entry.depth() > 0 && entry.file_name().to_string_lossy().starts_with('.')
}

fn is_manifest(entry: &DirEntry) -> bool {
    entry.file_type().is_file() && has_extension(entry)
}

fn has_extension(entry: &DirEntry) -> bool {
    let extension = entry.path().extension().and_then(|extension| extension.to_str());
    extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
}

fn walk_error(folder: &Path, error: &walkdir::Error) -> UnreadableSource {
    let problem = error.io_error().map_or_else(|| "it cannot be read".to_owned(), io_problem);
    (shown(error.path().unwrap_or(folder)), problem)
}

fn shown(path: &Path) -> Arc<str> {
    path.display().to_string().into()
}

fn io_problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file or folder".to_owned(),
        io::ErrorKind::PermissionDenied => "you may not read it".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}
