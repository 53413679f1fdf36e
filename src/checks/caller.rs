//! Who asks, as the API server knows them.

use k8s_openapi::api::authentication::v1::UserInfo;
use std::{collections::BTreeMap, sync::Arc};

/// What the names of service accounts begin with: `system:serviceaccount:NAMESPACE:NAME`.
const SERVICE_ACCOUNT: &str = "system:serviceaccount:";

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiCaller {
    /// The user's name.
    pub user: Arc<str>,
    /// The user's UID, where there is one.
    pub uid: Option<Arc<str>>,
    /// The groups that the user is in.
    pub groups: Vec<String>,
    /// What else is known of the user, for whoever authorizes.
    pub extra: BTreeMap<String, Vec<String>>,
}

impl ApiCaller {
    /// Whom a review found; nobody where it gave no name.
    #[must_use]
    pub fn of(user: UserInfo) -> Option<Self> {
        Some(Self {
            user: user.username.filter(|name| !name.is_empty())?.into(),
            uid: user.uid.filter(|uid| !uid.is_empty()).map(Into::into),
            groups: user.groups.unwrap_or_default(),
            extra: user.extra.unwrap_or_default(),
        })
    }

    /// The namespace of the service account that asks; None where it is none.
    #[must_use]
    pub fn service_account_namespace(&self) -> Option<&str> {
        self.user.strip_prefix(SERVICE_ACCOUNT)?.split_once(':').map(|(namespace, _)| namespace)
    }
}

#[cfg(test)]
mod tests {
    use super::ApiCaller;
    use k8s_openapi::api::authentication::v1::UserInfo;
    use rstest::rstest;

    #[rstest]
    #[case("system:serviceaccount:acme:web", Some("acme"))]
    #[case("system:serviceaccount:acme", None)]
    #[case("system:serviceaccounts:acme:web", None)]
    #[case("alice", None)]
    fn service_accounts_are_known_by_their_names(#[case] user: &str, #[case] namespace: Option<&str>) {
        let user = UserInfo { username: Some(user.to_owned()), ..UserInfo::default() };
        assert_eq!(ApiCaller::of(user).unwrap().service_account_namespace(), namespace);
    }

    #[test]
    fn who_has_no_name_is_nobody() {
        assert_eq!(ApiCaller::of(UserInfo::default()), None);
        assert_eq!(ApiCaller::of(UserInfo { username: Some(String::new()), ..UserInfo::default() }), None);
    }
}
