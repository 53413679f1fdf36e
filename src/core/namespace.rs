//! Whose each namespace is: which are a tenant's, and which hold grants.

use super::age::{OrganizationAge, SourceAge};
use crate::api::{ASSIGNMENT_NAMESPACE, Organization};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

/// Whether a namespace is never a tenant's, whoever lists it: the cluster's own, the operator's, and that of grants.
#[must_use]
pub fn is_reserved(namespace: &str, operator_namespace: &str) -> bool {
    is_set_apart(namespace) || namespace == operator_namespace
}

/// The same, as far as the name alone tells it.
#[must_use]
pub fn is_set_apart(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == ASSIGNMENT_NAMESPACE
}

/// Whether an organization lets what lies in a namespace grant it anything.
#[must_use]
pub fn may_assign(organization: &Organization, namespace: &str) -> bool {
    organization.spec.assignable_from.iter().any(|allowed| allowed == namespace)
}

/// Whether an organization lets what lies in a namespace report what it has used.
#[must_use]
pub fn may_report(organization: &Organization, namespace: &str) -> bool {
    organization.spec.reportable_from.iter().any(|allowed| allowed == namespace)
}

/// The namespaces whose facts have to be known of an organization with these grants: those that it lists, and those in which the
/// grants lie.
#[must_use]
pub fn concerned<'a>(
    organization: Option<&'a Organization>,
    sources: impl IntoIterator<Item = &'a Arc<str>>,
) -> BTreeSet<&'a str> {
    let listed = organization.into_iter().flat_map(|organization| &organization.spec.namespaces);
    listed.map(String::as_str).chain(sources.into_iter().map(AsRef::as_ref)).collect()
}

/// Who has a claim to each namespace, by age: the oldest claim is the one that counts.
#[derive(Clone, Debug)]
pub struct Claims<A>(HashMap<Arc<str>, BTreeSet<A>>);

impl<A> Default for Claims<A> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<A: Ord> Claims<A> {
    /// One more claim.
    pub fn add(&mut self, namespace: &str, age: A) {
        match self.0.get_mut(namespace) {
            Some(ages) => drop(ages.insert(age)),
            None => drop(self.0.insert(namespace.into(), BTreeSet::from([age]))),
        }
    }

    /// A claim is given up.
    pub fn remove(&mut self, namespace: &str, age: &A) {
        let Some(ages) = self.0.get_mut(namespace) else { return };
        ages.remove(age);
        if ages.is_empty() {
            self.0.remove(namespace);
        }
    }

    /// All claims to a namespace, the oldest first.
    pub fn to(&self, namespace: &str) -> impl Iterator<Item = &A> {
        self.0.get(namespace).into_iter().flatten()
    }

    /// The claim that counts.
    #[must_use]
    pub fn oldest(&self, namespace: &str) -> Option<&A> {
        self.0.get(namespace)?.first()
    }
}

/// Why something in a namespace is closed to the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// It is restricted to others.
    NotServed,
    /// It has no right to list what is there.
    NotListed,
}

/// What the operator can do in a namespace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NamespaceAccess {
    /// All that it does.
    #[default]
    Full,
    /// The same but for what it does with Secrets.
    NoSecrets(Lack),
    /// Nothing.
    Nothing(Lack),
}

/// What is known of one namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamespaceFacts {
    /// It exists and is not terminating.
    pub present: bool,
    /// The oldest organization that lists it, whichever that is.
    pub claimed_by: Option<String>,
    /// An instance (`namespace/name`) with `status.accepted` in state Active that lies in it, which makes it a namespace of
    /// grants.
    pub holds_grant: Option<String>,
    /// It is the operator's own.
    pub is_operators: bool,
    /// What the operator can do in it.
    pub access: NamespaceAccess,
}

/// Why a namespace is no tenant's, whoever lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoTenants<'a> {
    /// It is the cluster's or the operator's own, or that of grants.
    Reserved,
    /// It holds this grant, and is none as long as it does.
    HoldsGrant(&'a str),
}

impl NamespaceFacts {
    /// What is known of a namespace that is or is not `present`, by the claims of organizations that list it and those of accepted
    /// grants in state Active that lie in it.
    #[must_use]
    pub fn of(
        namespace: &str,
        present: bool,
        organizations: &Claims<OrganizationAge>,
        grants: &Claims<SourceAge>,
        operator_namespace: &str,
    ) -> Self {
        Self {
            present,
            claimed_by: organizations.oldest(namespace).map(|age| age.name.to_string()),
            holds_grant: grants.oldest(namespace).map(|age| age.id().to_string()),
            is_operators: namespace == operator_namespace,
            access: NamespaceAccess::Full,
        }
    }

    /// The organization whose own it is: one lists it, and nothing else keeps it from being a tenant's.
    #[must_use]
    pub fn tenant(&self, namespace: &str) -> Option<&str> {
        self.claimed_by.as_deref().filter(|_| self.no_tenants(namespace).is_none())
    }

    /// Why it is never, or not now, a tenant's.
    #[must_use]
    pub fn no_tenants(&self, namespace: &str) -> Option<NoTenants<'_>> {
        if is_set_apart(namespace) || self.is_operators {
            return Some(NoTenants::Reserved);
        }
        self.holds_grant.as_deref().map(NoTenants::HoldsGrant)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::source::SourceKind;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
    use rstest::rstest;
    use serde_json::json;

    fn metadata(name: &str, created: &str) -> ObjectMeta {
        serde_json::from_value(json!({"namespace": "shop", "name": name, "uid": name, "creationTimestamp": created}))
            .unwrap()
    }

    fn organization(name: &str, created: &str) -> OrganizationAge {
        OrganizationAge::of(&metadata(name, created))
    }

    #[test]
    fn the_oldest_claim_counts_until_it_is_given_up() {
        let mut claims = Claims::default();
        let (older, younger) = (organization("b", "2026-01-01T00:00:00Z"), organization("a", "2026-02-01T00:00:00Z"));
        claims.add("one", younger.clone());
        claims.add("one", older.clone());
        claims.add("two", younger.clone());
        assert_eq!(claims.oldest("one"), Some(&older));
        assert_eq!(claims.to("one").collect::<Vec<_>>(), [&older, &younger]);
        claims.remove("one", &older);
        assert_eq!(claims.oldest("one"), Some(&younger));
        claims.remove("one", &younger);
        assert_eq!(claims.oldest("one"), None);
        claims.remove("one", &younger);
        assert_eq!(claims.0.keys().map(AsRef::as_ref).collect::<Vec<_>>(), ["two"]);
    }

    #[test]
    fn the_facts_of_a_namespace_are_those_of_the_oldest_claims() {
        let mut organizations = Claims::default();
        organizations.add("shop", organization("acme", "2026-01-01T00:00:00Z"));
        let mut grants = Claims::default();
        let of = |name: &str, made: &str| SourceAge::of(SourceKind::Instance, &metadata(name, made));
        grants.add("shop", of("y", "2026-03-01T00:00:00Z"));
        grants.add("shop", of("z", "2026-02-01T00:00:00Z"));
        let expected = NamespaceFacts {
            present: true,
            claimed_by: Some("acme".to_owned()),
            holds_grant: Some("shop/z".to_owned()),
            ..NamespaceFacts::default()
        };
        assert_eq!(NamespaceFacts::of("shop", true, &organizations, &grants, "operator"), expected);
        let own = NamespaceFacts { is_operators: true, ..NamespaceFacts::default() };
        assert_eq!(NamespaceFacts::of("operator", false, &organizations, &grants, "operator"), own);
    }

    #[rstest]
    #[case::of_nobody("shop", None, false, None)]
    #[case::of_grants("shop", Some("shop/a"), false, Some(NoTenants::HoldsGrant("shop/a")))]
    #[case::the_operators("shop", Some("shop/a"), true, Some(NoTenants::Reserved))]
    #[case::the_clusters("kube-system", None, false, Some(NoTenants::Reserved))]
    #[case::that_of_grants("entitlements", None, false, Some(NoTenants::Reserved))]
    fn what_no_tenant_can_have(
        #[case] namespace: &str,
        #[case] holds_grant: Option<&str>,
        #[case] is_operators: bool,
        #[case] expected: Option<NoTenants>,
    ) {
        let holds_grant = holds_grant.map(str::to_owned);
        let facts = NamespaceFacts {
            present: true,
            claimed_by: Some("acme".to_owned()),
            holds_grant,
            is_operators,
            ..NamespaceFacts::default()
        };
        assert_eq!(facts.no_tenants(namespace), expected);
        assert_eq!(
            is_reserved(namespace, if is_operators { namespace } else { "" }),
            expected == Some(NoTenants::Reserved)
        );
    }
}
