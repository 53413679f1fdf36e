//! What is counted of the API that services ask.

use super::{
    families::{Registration, Timings},
    labels::{AnswerLabels, OperationLabel, ResultLabel, ReviewLabels},
};
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};
use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

/// From an answer out of memory to one that had to wait for the API server and the store.
const ANSWER_SECONDS: [f64; 14] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 2.5, 10.0];

/// What is counted of the API. Copies count together.
#[derive(Clone, Debug)]
pub struct ApiMetrics {
    requests: Family<AnswerLabels, Counter>,
    request_time: Timings<OperationLabel>,
    uses: Family<ResultLabel, Counter>,
    reviews: Family<ReviewLabels, Counter>,
    /// Whether whoever connects is answered; None where there is no API.
    answers: Arc<Mutex<Option<bool>>>,
    /// When its certificate ends, in Unix time; 0 while it has none.
    certificate: Arc<AtomicI64>,
}

fn answer_seconds() -> Histogram {
    Histogram::new(ANSWER_SECONDS)
}

impl ApiMetrics {
    /// Nothing was counted yet.
    pub(super) fn register(all: &mut Registration) -> Self {
        Self {
            requests: all.add(
                "entitlement_api_requests",
                "Requests to the API, by operation and the class of the answer (gone where whoever asked did not wait for it)",
                Family::default(),
            ),
            request_time: all.add(
                "entitlement_api_request_duration_seconds",
                "How long it took until a request to the API was answered",
                Timings::new_with_constructor(answer_seconds),
            ),
            uses: all.add(
                "entitlement_api_uses",
                "Uses that the API was asked to count or to take back, by what became of them",
                Family::default(),
            ),
            reviews: all.add(
                "entitlement_api_reviews",
                "Questions to the API server of who asks and what they may, by how they ended",
                Family::default(),
            ),
            answers: Arc::default(),
            certificate: Arc::default(),
        }
    }

    /// A request was answered with that status, or (None) whoever asked has gone before.
    pub fn answered(&self, operation: &Arc<str>, status: Option<u16>, took: Duration) {
        let code = match status {
            None => "gone",
            Some(..300) => "2xx",
            Some(300..400) => "3xx",
            Some(400..500) => "4xx",
            Some(500..) => "5xx",
        };
        let operation = || Arc::clone(operation);
        self.requests.get_or_create(&AnswerLabels { operation: operation(), code }).inc();
        self.request_time.get_or_create(&OperationLabel { operation: operation() }).observe(took.as_secs_f64());
    }

    /// Something became of a use.
    pub fn used(&self, result: &'static str) {
        self.uses.get_or_create(&ResultLabel { result }).inc();
    }

    /// The API server was asked for such a review, or was to be.
    pub fn reviewed(&self, resource: &'static str, result: &'static str) {
        self.reviews.get_or_create(&ReviewLabels { resource, result }).inc();
    }

    /// Whoever connects is answered from now on, or not until there is a certificate.
    pub fn answers(&self, answers: bool) {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner) = Some(answers);
    }

    /// It serves with a certificate that ends then, in Unix time.
    pub fn certificate_ends(&self, at: i64) {
        self.certificate.store(at, Ordering::Relaxed);
    }

    /// When that is, once it has one.
    pub(super) fn certificate_end(&self) -> Option<i64> {
        Some(self.certificate.load(Ordering::Relaxed)).filter(|at| *at != 0)
    }

    /// Whether whoever connects is answered; None where there is no API.
    pub(super) fn is_answering(&self) -> Option<bool> {
        *self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use crate::metrics::{Exposition, Gauges, Metrics};
    use rstest::rstest;
    use std::time::Duration;

    fn page(metrics: &Metrics, is_ready: bool) -> Vec<String> {
        let page = metrics.page(&Gauges { is_ready, ..Gauges::default() }, Exposition::Text);
        page.lines().filter(|line| line.starts_with("entitlement_api_")).map(str::to_owned).collect()
    }

    #[test]
    fn without_the_api_nothing_is_told_of_it() {
        assert_eq!(page(&Metrics::default(), true), Vec::<String>::new());
    }

    #[rstest]
    #[case(false, false, "entitlement_api_serving 0")]
    #[case(false, true, "entitlement_api_serving 0")]
    #[case(true, false, "entitlement_api_serving 0")]
    #[case(true, true, "entitlement_api_serving 1")]
    fn it_serves_with_a_certificate_once_all_is_listed(
        #[case] answers: bool,
        #[case] is_ready: bool,
        #[case] expected: &str,
    ) {
        let metrics = Metrics::default();
        metrics.api().answers(answers);
        assert_eq!(page(&metrics, is_ready), [expected]);
    }

    #[test]
    fn the_end_of_its_certificate_is_told() {
        let metrics = Metrics::default();
        metrics.api().certificate_ends(1_798_761_600);
        let expected = "entitlement_api_certificate_expiry_timestamp_seconds 1798761600";
        assert_eq!(page(&metrics, true), [expected]);
    }

    #[rstest]
    #[case(Some(200), "2xx")]
    #[case(Some(304), "3xx")]
    #[case(Some(400), "4xx")]
    #[case(Some(499), "4xx")]
    #[case(Some(503), "5xx")]
    #[case(None, "gone")]
    fn requests_are_told_by_operation_and_class(#[case] status: Option<u16>, #[case] class: &str) {
        let metrics = Metrics::default();
        metrics.api().answered(&"checkEntitlement".into(), status, Duration::from_micros(200));
        let lines = page(&metrics, true);
        let expected = [
            format!("entitlement_api_requests_total{{operation=\"checkEntitlement\",code=\"{class}\"}} 1"),
            "entitlement_api_request_duration_seconds_sum{operation=\"checkEntitlement\"} 0.0002".to_owned(),
            "entitlement_api_request_duration_seconds_count{operation=\"checkEntitlement\"} 1".to_owned(),
            "entitlement_api_request_duration_seconds_bucket{le=\"0.0001\",operation=\"checkEntitlement\"} 0"
                .to_owned(),
            "entitlement_api_request_duration_seconds_bucket{le=\"0.00025\",operation=\"checkEntitlement\"} 1"
                .to_owned(),
        ];
        assert_eq!(lines[..5], expected);
    }

    #[test]
    fn uses_and_reviews_are_told_by_their_results() {
        let metrics = Metrics::default();
        metrics.api().used("refused");
        metrics.api().reviewed("tokenreviews", "unanswered");
        let expected = [
            "entitlement_api_uses_total{result=\"refused\"} 1",
            "entitlement_api_reviews_total{resource=\"tokenreviews\",result=\"unanswered\"} 1",
        ];
        assert_eq!(page(&metrics, true), expected);
    }
}
