//! What is counted and measured of the operator, as Prometheus reads it.
//!
//! Those who count call small methods of [`Metrics`]; nobody else knows a family, its labels, or a format. What is there in any case,
//! such as how many grants are in each phase, is not counted here: whoever knows it tells it as [`Gauges`] when it is asked for.
//! No label holds what a tenant chooses, but those of [`DomainGauges::ends`], which are off by default.
//!
//! | file | what it knows |
//! |---|---|
//! | `families` | what is counted as it happens |
//! | `gauges` | what is told when it is asked for |
//! | `api` | what is counted of the API that services ask |
//! | `labels` | the labels of all |
//! | `process` | what the operating system says of the process |
//! | `page` | both formats of Prometheus |
//! | `requests` | counting the requests to the API server |

mod api;
mod families;
mod gauges;
mod labels;
mod page;
mod process;
mod requests;

pub use api::ApiMetrics;
pub use families::{ERROR, Metrics, QueueMetrics};
pub use gauges::{DomainGauges, Gauges, InstanceEnd, QueueDepth};
pub use page::Exposition;
pub use requests::RequestLayer;
