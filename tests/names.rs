//! One name is one thing: no two types of the crate have the same name.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "they fail a test")]

mod rust_files;

use rust_files::rust_files;
use std::{collections::BTreeMap, fs, path::Path};
use syn::{
    Attribute, Ident, ItemEnum, ItemMod, ItemStruct, ItemTrait, ItemType, ItemUnion, Visibility,
    visit::{self, Visit},
};

/// Names that several files have for types that nobody else sees, and why that is no harm.
const OF_ONE_FILE: &[(&str, &str)] = &[];

/// The types of one file, and whether others see them.
#[derive(Default)]
struct Types(Vec<(String, bool)>);

impl Types {
    fn in_file(code: &str) -> Self {
        let mut types = Self::default();
        types.visit_file(&syn::parse_file(code).unwrap());
        types
    }

    fn note(&mut self, name: &Ident, visibility: &Visibility) {
        self.0.push((name.to_string(), !matches!(visibility, Visibility::Inherited)));
    }

    /// The derive of `kube` makes a type of the kind's name.
    fn note_kind(&mut self, attributes: &[Attribute]) {
        for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("kube")) {
            // What is not the kind has values of any form.
            let _ = attribute.parse_nested_meta(|meta| {
                let value: syn::Expr = meta.value()?.parse()?;
                if let (true, syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(kind), .. })) =
                    (meta.path.is_ident("kind"), value)
                {
                    self.0.push((kind.value(), true));
                }
                Ok(())
            });
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.parse_args::<syn::Path>().is_ok_and(|condition| condition.is_ident("test"))
    })
}

impl<'ast> Visit<'ast> for Types {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !is_for_tests(&item.attrs) {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_struct(&mut self, item: &'ast ItemStruct) {
        if !is_for_tests(&item.attrs) {
            self.note(&item.ident, &item.vis);
            self.note_kind(&item.attrs);
        }
    }

    fn visit_item_enum(&mut self, item: &'ast ItemEnum) {
        if !is_for_tests(&item.attrs) {
            self.note(&item.ident, &item.vis);
        }
    }

    fn visit_item_union(&mut self, item: &'ast ItemUnion) {
        self.note(&item.ident, &item.vis);
    }

    fn visit_item_trait(&mut self, item: &'ast ItemTrait) {
        self.note(&item.ident, &item.vis);
    }

    fn visit_item_type(&mut self, item: &'ast ItemType) {
        self.note(&item.ident, &item.vis);
    }
}

/// A folder or a file that is called `tests` holds nothing else.
fn is_for_tests_by_name(file: &Path) -> bool {
    file.with_extension("").components().any(|part| part.as_os_str() == "tests")
}

/// A name that is not one thing: where it is defined, and whether others than that file see the type.
#[derive(Debug, PartialEq, Eq)]
struct Shared {
    name: String,
    files: Vec<(String, bool)>,
}

fn shared(files: impl Iterator<Item = (String, Types)>) -> Vec<Shared> {
    let mut all: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
    for (file, types) in files {
        for (name, is_visible) in types.0 {
            let files = all.entry(name).or_default();
            // A type may have two forms, of which the system has one.
            if files.last().is_none_or(|(known, _)| *known != file) {
                files.push((file.clone(), is_visible));
            }
        }
    }
    let several = all.into_iter().filter(|(_, files)| files.len() > 1);
    several.map(|(name, files)| Shared { name, files }).collect()
}

fn shared_in_the_crate() -> Vec<Shared> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = rust_files(&source);
    files.sort();
    let code = files.iter().filter_map(|file| {
        let name = file.strip_prefix(&source).unwrap();
        (!is_for_tests_by_name(name))
            .then(|| (name.display().to_string(), Types::in_file(&fs::read_to_string(file).unwrap())))
    });
    shared(code)
}

fn may_be(shared: &Shared) -> bool {
    let seen = shared.files.iter().filter(|(_, is_visible)| *is_visible).count();
    seen == 0 && OF_ONE_FILE.iter().any(|(known, _)| *known == shared.name)
}

#[test]
fn no_two_types_have_one_name() {
    let wrong: Vec<Shared> = shared_in_the_crate().into_iter().filter(|shared| !may_be(shared)).collect();
    assert!(wrong.is_empty(), "give these types names of their own: {wrong:#?}");
}

#[test]
fn no_exception_outlives_its_reason() {
    let shared = shared_in_the_crate();
    let exceptions = OF_ONE_FILE.iter().map(|(name, _)| name);
    let idle: Vec<_> = exceptions.filter(|name| !shared.iter().any(|shared| shared.name == **name)).collect();
    assert!(idle.is_empty(), "these are told apart by now, so take them off the list: {idle:?}");
    for (name, reason) in OF_ONE_FILE {
        assert!(!reason.is_empty(), "say why {name} is no harm");
    }
}

#[test]
fn the_check_finds_what_it_looks_for() {
    let types = |code: &str| Types::in_file(code).0;
    assert_eq!(
        types("pub struct A; pub(super) enum B {} type C = u8; trait D {} mod inner { pub union E { a: u8 } }"),
        [("A", true), ("B", true), ("C", false), ("D", false), ("E", true)].map(|(name, seen)| (name.to_owned(), seen))
    );
    assert_eq!(types("impl Iterator for A { type Item = u8; }"), []);
    assert_eq!(types("#[cfg(test)] mod tests { struct A; } #[cfg(test)] struct B;"), []);
    assert_eq!(
        types("#[kube(group = \"entitlements.dev\", version = \"v1\", kind = \"Organization\", namespaced)] pub struct OrganizationSpec;")
            .into_iter()
            .map(|(name, _)| name)
            .collect::<Vec<_>>(),
        ["OrganizationSpec", "Organization"]
    );
    let files = [("a.rs", "struct A;"), ("b.rs", "pub struct A; struct B;")];
    let found = shared(files.into_iter().map(|(file, code)| (file.to_owned(), Types::in_file(code))));
    let expected = [("a.rs".to_owned(), false), ("b.rs".to_owned(), true)].to_vec();
    assert_eq!(found, [Shared { name: "A".to_owned(), files: expected }]);
    assert!(is_for_tests_by_name(Path::new("offline/tests.rs")) && is_for_tests_by_name(Path::new("core/tests/a.rs")));
    assert!(!is_for_tests_by_name(Path::new("core/tested.rs")));
}
