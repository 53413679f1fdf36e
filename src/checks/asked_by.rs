//! Who asks, and what they may: a tenant's workload may see what its organization is entitled to, and nothing else; anybody else
//! what the API server lets them.

use super::{
    access::{AccessReviews, CheckVerb},
    caller::ApiCaller,
    confirmation::Confirmation,
    ofrep::refused,
    problem::CheckProblem,
    routes::CheckSurroundings,
    tokens::{KnownCaller, TokenRefusal, Tokens},
};
use crate::{controller::Knowledge, core::secret::Secret};
use axum::{
    extract::{FromRequestParts, Request, State},
    middleware::Next,
    response::Response,
};
use http::{header::AUTHORIZATION, request::Parts};
use kube::Client;
use std::{
    error::Error,
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

/// Who may what.
pub struct Doorkeeper {
    tokens: Tokens,
    access: AccessReviews,
    knowledge: Knowledge,
    confirmation: Confirmation,
}

/// The network that a request has come from.
#[derive(Clone, Copy, Debug)]
pub struct AskingNetwork(pub IpAddr);

/// Who has asked, for an answer.
#[derive(Clone, Debug)]
pub struct IdentifiedCaller(pub Arc<str>);

/// Of what has come by no connection.
const NOWHERE: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

/// Who asks, whose token the API server knows.
#[derive(Clone, Debug)]
pub struct AskedBy {
    caller: Arc<ApiCaller>,
    /// Whether the API server has said so within a minute.
    is_reviewed: bool,
    /// The organization that is served in the namespace of the service account that asks.
    tenant: Option<Arc<str>>,
}

impl Doorkeeper {
    /// Of a cluster.
    #[must_use]
    pub fn new(client: &Client, knowledge: Knowledge, confirmation: Confirmation) -> Self {
        let metrics = knowledge.metrics().api();
        Self {
            tokens: Tokens::new(client.clone(), metrics.clone()),
            access: AccessReviews::new(client.clone(), metrics.clone()),
            knowledge,
            confirmation,
        }
    }

    async fn identify(&self, parts: &Parts) -> Result<AskedBy, CheckProblem> {
        let absent = || CheckProblem::Unauthenticated(TokenRefusal::Absent.to_string());
        let mut headers = parts.headers.get_all(AUTHORIZATION).iter();
        // Of two, nobody knows which one others have looked at.
        let (Some(header), None) = (headers.next(), headers.next()) else { return Err(absent()) };
        let token = header.to_str().ok().and_then(bearer).ok_or_else(absent)?;
        let network = parts.extensions.get().map_or(NOWHERE, |AskingNetwork(network)| *network);
        let caller = self.tokens.caller(&token, network, crate::controller::clock::now()).await;
        let KnownCaller { caller, is_reviewed } = caller.map_err(|refusal| match refusal {
            TokenRefusal::Absent | TokenRefusal::Unknown => CheckProblem::Unauthenticated(refusal.to_string()),
            TokenRefusal::Unanswered | TokenRefusal::Busy => CheckProblem::Unavailable(refusal.to_string()),
        })?;
        let namespace = caller.service_account_namespace();
        let tenant = namespace.and_then(|namespace| self.knowledge.served_in(namespace));
        Ok(AskedBy { caller, is_reviewed, tenant })
    }

    /// Lets who asks do that with an organization, or says why not. It says nothing of whether there is such an organization.
    ///
    /// # Errors
    /// Where they may not, or nobody can be asked.
    pub async fn admit(
        &self,
        asked_by: &AskedBy,
        organization: &Arc<str>,
        verb: CheckVerb,
    ) -> Result<(), CheckProblem> {
        let forbidden = CheckProblem::Forbidden(verb);
        if let Some(tenant) = &asked_by.tenant {
            // A client that reported itself could give itself back what it has used.
            return if tenant == organization && verb == CheckVerb::Check { Ok(()) } else { Err(forbidden) };
        }
        if verb == CheckVerb::Report && !asked_by.is_reviewed {
            return Err(self.unanswered(verb, &TokenRefusal::Unanswered));
        }
        let allowed = self.access.allow(&asked_by.caller, organization, verb).await;
        match allowed {
            Ok(true) => Ok(()),
            Ok(false) => Err(forbidden),
            Err(unanswered) => Err(self.unanswered(verb, &unanswered)),
        }
    }

    /// Whoever counts is told first that nobody can now.
    fn unanswered(&self, verb: CheckVerb, why: &dyn Error) -> CheckProblem {
        let nobody_can = self.confirmation.require().err().filter(|_| verb == CheckVerb::Report);
        nobody_can.unwrap_or_else(|| CheckProblem::Unavailable(why.to_string()))
    }
}

impl AskedBy {
    /// Who asks, by name.
    #[must_use]
    pub fn user(&self) -> &Arc<str> {
        &self.caller.user
    }

    /// The organization whose workload asks; None where it is somebody else.
    #[must_use]
    pub fn tenant(&self) -> Option<&Arc<str>> {
        self.tenant.as_ref()
    }
}

/// Lets nobody in whose token the API server does not know, and takes in what the others send when there is room for it. The answer
/// says who asked, for the connection.
pub async fn identified(State(surroundings): State<Arc<CheckSurroundings>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asked_by = match surroundings.doorkeeper.identify(&parts).await {
        Ok(asked_by) => asked_by,
        Err(problem) => return refused(parts.uri.path(), problem),
    };
    let caller = Arc::clone(asked_by.user());
    // What a client's workloads send counts together, however many accounts they have.
    let sender = asked_by.tenant().unwrap_or(&caller);
    let (body, _place) = surroundings.bodies.take_in(sender, body).await;
    parts.extensions.insert(asked_by);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    response.extensions_mut().insert(IdentifiedCaller(caller));
    response
}

/// The token of `Bearer TOKEN` (RFC 6750); the scheme in any case.
fn bearer(header: &str) -> Option<Secret<String>> {
    let (scheme, token) = header.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.contains(' ')).then(|| Secret::new(token.to_owned()))
}

impl<S: Sync> FromRequestParts<S> for AskedBy {
    type Rejection = CheckProblem;

    /// As it was identified.
    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, CheckProblem> {
        let identified = parts.extensions.get::<Self>().cloned();
        identified.ok_or_else(|| CheckProblem::Unauthenticated(TokenRefusal::Absent.to_string()))
    }
}
