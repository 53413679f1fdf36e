//! What the API is described as, for programs that make clients of it: the parts that all calls share.

use super::problem::{CheckProblem, ProblemDetails};
use http::StatusCode;
use std::collections::BTreeMap;
use utoipa::{
    IntoParams, IntoResponses, Modify, OpenApi,
    openapi::{
        Content, Header, ObjectBuilder, OneOfBuilder, Ref, RefOr, Required, Response, ResponseBuilder, Schema, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
        security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};

/// The API, but for its calls.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Entitlement Operator",
        version = "v1",
        description = "May they, now? What clients are entitled to, what of it they may use at this moment, and counting what they use. \
            docs/checks.md tells more.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    servers((
        url = "https://entitlement-operator-api.entitlement-operator.svc",
        description = "In the cluster; `entitlement-operator` at the end is the operator's namespace.",
    )),
    security(("token" = [])),
    tags(
        (name = "Checks", description = "What an organization is entitled to, and may use."),
        (name = "Uses", description = "Counting what is used."),
        (name = "OpenFeature", description = "The OpenFeature Remote Evaluation Protocol 0.3."),
    ),
    components(schemas(ProblemDetails)),
    modifiers(&SharedParts),
)]
pub struct CheckApi;

struct SharedParts;

impl Modify for SharedParts {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(
            "A token of Kubernetes for the audience `entitlements.dev`. A ServiceAccount of a namespace in which an organization is \
             served may read this organization's. Anybody else needs the verb `check` on the organization to read, and `report` to count.",
        ));
        components.add_security_scheme("token", SecurityScheme::Http(token.build()));
        for problem in PROBLEMS {
            components.responses.insert(problem.name.to_owned(), problem.response().into());
        }
    }
}

/// What is answered with a status where there is no answer.
struct DescribedProblem {
    status: StatusCode,
    name: &'static str,
    description: &'static str,
}

const fn told(status: StatusCode, name: &'static str, description: &'static str) -> DescribedProblem {
    DescribedProblem { status, name, description }
}

const PROBLEMS: [DescribedProblem; 10] = [
    told(StatusCode::BAD_REQUEST, "Invalid", "A parameter, or the body, cannot be understood."),
    told(
        StatusCode::UNAUTHORIZED,
        "Unauthenticated",
        "Nobody knows that token: it is absent, over, or for another audience.",
    ),
    told(StatusCode::FORBIDDEN, "Forbidden", "You may not, whether there is such an organization or not."),
    told(StatusCode::NOT_FOUND, "NotFound", "There is no such organization or entitlement, or no such use of yours."),
    told(
        StatusCode::CONFLICT,
        "Conflict",
        "It cannot be counted: it is not metered, Prometheus counts it, its period is closed, or its channel is not covered.",
    ),
    told(
        StatusCode::PAYLOAD_TOO_LARGE,
        "TooLarge",
        "The body is larger than 1 MiB, or a batch has more than 1,000 events.",
    ),
    told(StatusCode::UNSUPPORTED_MEDIA_TYPE, "WrongType", "The body is of another type than is read here."),
    told(StatusCode::TOO_MANY_REQUESTS, "TooMuch", "100 uses of yours are under way: wait for their answers."),
    told(StatusCode::NOT_IMPLEMENTED, "NotSetUp", "The operator runs without a store, so nothing is counted."),
    told(
        StatusCode::SERVICE_UNAVAILABLE,
        "Unavailable",
        "It cannot be told or counted now. Send the same again: a use counts once, however often it comes.",
    ),
];

impl DescribedProblem {
    fn response(&self) -> Response {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new().description(self.description).content(CheckProblem::MEDIA_TYPE, content);
        match self.status {
            StatusCode::UNAUTHORIZED => response.header("WWW-Authenticate", Header::default()).build(),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                response.header("Retry-After", Header::new(ObjectBuilder::new().schema_type(Type::Integer))).build()
            }
            _ => response.build(),
        }
    }
}

type Responses = BTreeMap<String, RefOr<Response>>;

fn problems(statuses: &[u16]) -> Responses {
    let told = PROBLEMS.iter().filter(|problem| statuses.contains(&problem.status.as_u16()));
    told.map(|problem| (problem.status.as_u16().to_string(), Ref::from_response_name(problem.name).into())).collect()
}

/// Why no list is answered.
pub struct ListProblems;

impl IntoResponses for ListProblems {
    fn responses() -> Responses {
        problems(&[400, 401, 403, 404, 503])
    }
}

/// Why no check is answered, but for what has another form too.
pub struct CheckProblems;

impl IntoResponses for CheckProblems {
    fn responses() -> Responses {
        problems(&[400, 401, 404, 503])
    }
}

/// Why a use is not told.
pub struct UseProblems;

impl IntoResponses for UseProblems {
    fn responses() -> Responses {
        problems(&[400, 401, 403, 404, 501, 503])
    }
}

/// Why nothing is taken back.
pub struct TakeBackProblems;

impl IntoResponses for TakeBackProblems {
    fn responses() -> Responses {
        problems(&[400, 401, 403, 404, 409, 429, 501, 503])
    }
}

/// Why nothing is counted, but for what has another form too.
pub struct CountingProblems;

impl IntoResponses for CountingProblems {
    fn responses() -> Responses {
        problems(&[400, 401, 403, 404, 413, 415, 429, 501, 503])
    }
}

/// Why no flag is evaluated, but for what has the form of `OpenFeature`.
pub struct FlagProblems;

impl IntoResponses for FlagProblems {
    fn responses() -> Responses {
        problems(&[401, 403])
    }
}

fn in_path(name: &str, description: &str) -> Parameter {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let parameter = ParameterBuilder::new().name(name).parameter_in(ParameterIn::Path).required(Required::True);
    parameter.description(Some(description)).schema(Some(text)).build()
}

/// The organization of a path.
pub struct InOrganization;

impl IntoParams for InOrganization {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![in_path("organization", "The organization's name.")]
    }
}

/// The entitlement of a path.
pub struct OfEntitlement;

impl IntoParams for OfEntitlement {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![in_path("entitlement", "The entitlement's handle, which is the name of its definition.")]
    }
}

/// The key of a use.
pub struct UnderKey;

impl IntoParams for UnderKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![in_path(
            "key",
            "Your name for the use: 1 to 128 printable ASCII characters. Each caller has keys of its own.",
        )]
    }
}

/// An amount that is counted, as callers write it.
pub fn stated_amount() -> Schema {
    let number = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0));
    let text = ObjectBuilder::new().schema_type(Type::String).pattern(Some(r"^[0-9]{1,15}(\.[0-9]{1,9})?$"));
    let amount = OneOfBuilder::new().item(number).item(text);
    amount
        .description(Some("How much: a number, or its digits in quotes, where a float may not be exact enough."))
        .into()
}

/// The value of a flag.
pub fn flag_value() -> Schema {
    let kinds = [Type::Boolean, Type::Number, Type::Object].map(|kind| ObjectBuilder::new().schema_type(kind));
    let value = kinds.into_iter().fold(OneOfBuilder::new(), OneOfBuilder::item);
    value.description(Some("A boolean, a number, or an object: false, 0, or an empty one where it is not held.")).into()
}
