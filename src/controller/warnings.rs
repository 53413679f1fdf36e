//! What the log says of work that failed: a line for each, but where very many fail at once, some, and how many more.

use super::{
    burst::{Burst, UntoldLines},
    context::ControllerContext,
};
use std::{sync::Arc, time::Duration};

/// How many are told one by one in that time. What fails is tried again, and may fail again for long.
const MOST: usize = 50;
const WINDOW: Duration = Duration::from_mins(1);

/// The warnings that there were lately, by what they say.
#[derive(Debug)]
pub struct Warnings(Burst<&'static str>);

impl Default for Warnings {
    fn default() -> Self {
        Self(Burst::of(MOST, WINDOW))
    }
}

impl Warnings {
    /// There is one more. Whether it is a warning by itself, and no detail.
    pub fn is_one_of_few(&self, message: &'static str) -> bool {
        self.0.is_one_of_few(message)
    }
}

/// Warns, unless very many do.
macro_rules! warn_of {
    ($context:expr, $message:literal, $($fields:tt)+) => {
        if $context.warnings.is_one_of_few($message) {
            tracing::warn!($($fields)+, $message);
        } else {
            tracing::debug!($($fields)+, $message);
        }
    };
}
pub(super) use warn_of;

/// Sums up bursts, for ever.
pub async fn run(context: Arc<ControllerContext>) {
    let tell = |UntoldLines { count, counts }| {
        tracing::warn!(count, counts, "more warnings, each of which the level debug shows");
    };
    context.warnings.0.sum_up(|message| (*message).to_owned(), tell).await;
}

#[cfg(test)]
mod tests {
    use super::{MOST, Warnings};
    use std::sync::{Arc, Mutex};
    use tracing::{Event, Level, Subscriber};
    use tracing_subscriber::{
        layer::{Context, Layer, SubscriberExt},
        registry,
    };

    #[derive(Clone, Default)]
    struct ToldLevels(Arc<Mutex<Vec<Level>>>);

    impl<S: Subscriber> Layer<S> for ToldLevels {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.0.lock().unwrap().push(*event.metadata().level());
        }
    }

    struct Warner {
        warnings: Warnings,
    }

    #[test]
    fn what_is_no_warning_by_itself_is_a_detail() {
        let (warner, levels) = (Warner { warnings: Warnings::default() }, ToldLevels::default());
        tracing::subscriber::with_default(registry().with(levels.clone()), || {
            for item in 0..MOST + 7 {
                warn_of!(warner, "failed", item);
            }
        });
        let expected: Vec<_> = [Level::WARN].repeat(MOST).into_iter().chain([Level::DEBUG].repeat(7)).collect();
        assert_eq!(*levels.0.lock().unwrap(), expected);
    }
}
