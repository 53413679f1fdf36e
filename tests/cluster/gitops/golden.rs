//! Files of what is expected. `UPDATE_GOLDEN=1` writes them anew; look at what changed.

use std::{env, fs, path::Path};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/gitops");

/// Compares with a file.
#[track_caller]
pub fn assert_golden(name: &str, found: &str) {
    let path = Path::new(FOLDER).join(name);
    if env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(FOLDER).unwrap();
        fs::write(&path, found).unwrap();
    }
    let expected = expected(name);
    assert!(found == expected, "{name} is not as expected, but:\n{found}");
}

/// What a file holds.
pub fn expected(name: &str) -> String {
    fs::read_to_string(Path::new(FOLDER).join(name)).unwrap_or_default()
}
