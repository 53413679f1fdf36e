//! Finding an organization by what a person calls it.

use super::Inventory;
use crate::core::schema::wording::closest;

/// An organization by its names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listing<'a> {
    /// The name of the object.
    pub name: &'a str,
    /// Its name for people.
    pub display_name: Option<&'a str>,
}

/// What a search comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SearchResult<'a> {
    /// This one is meant.
    Found(Listing<'a>),
    /// Each of these may be meant; in the order of their names.
    Several(Vec<Listing<'a>>),
    /// None is; perhaps this one, should it be misspelt.
    Nothing(Option<Listing<'a>>),
}

/// All organizations, to be searched.
#[derive(Clone, Debug)]
pub struct Directory<'a>(Vec<Listing<'a>>);

impl<'a> Directory<'a> {
    /// A directory of these.
    #[must_use]
    pub fn new(listings: impl IntoIterator<Item = Listing<'a>>) -> Self {
        let mut listings: Vec<Listing> = listings.into_iter().collect();
        listings.sort_unstable();
        Self(listings)
    }

    /// All of them, in the order of their names.
    #[must_use]
    pub fn listings(&self) -> &[Listing<'a>] {
        &self.0
    }

    /// The organization that is called so: by its name as it is, else by either name in any case, else by the beginning of
    /// either, else by the beginning of a word of the name for people. The first of these ways that finds any decides.
    #[must_use]
    pub fn find(&self, called: &str) -> SearchResult<'a> {
        if let Some(listing) = self.0.iter().find(|listing| listing.name == called) {
            return SearchResult::Found(*listing);
        }
        let called = folded(called);
        if called.is_empty() {
            return SearchResult::Nothing(None);
        }
        let is_it = |name: &str| name == called;
        let begins = |name: &str| name.starts_with(&called);
        let has_word = |name: &str| name.split(' ').any(|word| word.starts_with(&called));
        let ways: [&dyn Fn(&str) -> bool; 3] = [&is_it, &begins, &has_word];
        let folded: Vec<(Listing, [Option<String>; 2])> = self
            .0
            .iter()
            .map(|listing| (*listing, [Some(folded(listing.name)), listing.display_name.map(folded)]))
            .collect();
        for way in ways {
            let meant = folded.iter().filter(|(_, names)| names.iter().flatten().any(|name| way(name)));
            let meant: Vec<Listing> = meant.map(|(listing, _)| *listing).collect();
            match meant.as_slice() {
                [] => {}
                [one] => return SearchResult::Found(*one),
                _ => return SearchResult::Several(meant),
            }
        }
        let known: Vec<&str> = folded.iter().flat_map(|(_, names)| names).flatten().map(String::as_str).collect();
        let near = closest(&called, &known);
        let is_near = |names: &[Option<String>; 2]| names.iter().any(|name| name.as_deref() == near);
        SearchResult::Nothing(
            near.and_then(|_| folded.iter().find(|(_, names)| is_near(names))).map(|(listing, _)| *listing),
        )
    }

    /// The others that go by a name, as one that is found by its name as it is may not be who is meant.
    #[must_use]
    pub fn namesakes(&self, called: &str, found: &str) -> Vec<Listing<'a>> {
        let called = folded(called);
        let is_called_so = |listing: &&Listing<'a>| {
            listing.name != found
                && [Some(listing.name), listing.display_name].into_iter().flatten().any(|name| folded(name) == called)
        };
        self.0.iter().filter(is_called_so).copied().collect()
    }
}

impl Inventory {
    /// All organizations that there are.
    #[must_use]
    pub fn directory(&self) -> Directory<'_> {
        let listing = |(name, organization)| Listing {
            name: AsRef::<str>::as_ref(name),
            display_name: AsRef::<crate::api::Organization>::as_ref(organization).spec.display_name.as_deref(),
        };
        Directory::new(self.organizations.iter().map(listing))
    }
}

/// A name without case, and with single spaces.
fn folded(name: &str) -> String {
    name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const LISTINGS: [Listing<'static>; 6] = [
        Listing { name: "initech", display_name: Some("acme") },
        Listing { name: "acme", display_name: Some("Acme GmbH") },
        Listing { name: "acme-us", display_name: Some("Acme  Inc.") },
        Listing { name: "globex", display_name: Some("Globex, K.K.") },
        Listing { name: "mueller", display_name: Some("Autohaus Müller") },
        Listing { name: "zenith", display_name: None },
    ];

    fn found(called: &str) -> String {
        match Directory::new(LISTINGS).find(called) {
            SearchResult::Found(listing) => listing.name.to_owned(),
            SearchResult::Several(all) => all.iter().map(|listing| listing.name).collect::<Vec<_>>().join(" or "),
            SearchResult::Nothing(near) => format!("{}?", near.map_or("", |listing| listing.name)),
        }
    }

    #[rstest]
    #[case::the_name_of_one_is_the_name_for_people_of_another("acme", "acme", &["initech"])]
    #[case::nobody_else_is_called_so("Acme GmbH", "acme", &[])]
    #[case::whoever_is_found("ACME", "initech", &["acme"])]
    fn others_may_go_by_the_name_of_one(#[case] called: &str, #[case] found: &str, #[case] expected: &[&str]) {
        let names: Vec<_> = Directory::new(LISTINGS).namesakes(called, found).iter().map(|one| one.name).collect();
        assert_eq!(names, expected);
    }

    #[rstest]
    #[case::the_name_itself_goes_before_a_name_for_people("acme", "acme")]
    #[case::in_another_case_both_may_be_meant("ACME", "acme or initech")]
    #[case::the_name_for_people("Acme GmbH", "acme")]
    #[case("acme inc.", "acme-us")]
    #[case("AUTOHAUS MÜLLER", "mueller")]
    #[case::the_beginning("glo", "globex")]
    #[case("globex,", "globex")]
    #[case("acme g", "acme")]
    #[case::several_begin_so("ac", "acme or acme-us or initech")]
    #[case("acme-", "acme-us")]
    #[case::a_word("müller", "mueller")]
    #[case::a_typing_error("globax", "globex?")]
    #[case("acme gmhb", "acme?")]
    #[case("zenit", "zenith")]
    #[case("senith", "zenith?")]
    #[case::nothing_like_it("umbrella", "?")]
    #[case("", "?")]
    #[case(" ", "?")]
    fn an_organization_is_found_by_what_it_is_called(#[case] called: &str, #[case] expected: &str) {
        assert_eq!(found(called), expected);
    }
}
