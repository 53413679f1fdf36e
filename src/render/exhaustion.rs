//! What a template could not do within its limits, remembered.
//!
//! An organization is evaluated as a whole, often, and a grant on which a template goes to its limits costs as much as
//! thousands that do not. It would fail in the same way each time: the same inputs give the same bytes or the same error. So
//! the error is kept with the inputs' hash, and costs no more than any other grant from the second time on.

use super::output::OutputError;
use crate::render::template::TemplateErrorKind;
use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    sync::{Arc, Mutex, PoisonError},
};

/// So many are remembered for one output, before all are forgotten.
const MAX_REMEMBERED: usize = 20_000;

/// Of the inputs. Two hashes, each with a key of its own, so that nobody can make two inputs that look like one.
type Key = (u64, u64);

/// The errors of one output.
#[derive(Clone, Default)]
pub(super) struct Exhaustion(Arc<Remembered>);

#[derive(Default)]
struct Remembered {
    hashes: (RandomState, RandomState),
    errors: Mutex<HashMap<Key, Vec<OutputError>>>,
}

impl Exhaustion {
    /// What `fill` gives, unless it is known to fail for these inputs.
    pub(super) fn guard<T>(
        &self,
        inputs: impl Hash,
        fill: impl FnOnce() -> Result<T, Vec<OutputError>>,
    ) -> Result<T, Vec<OutputError>> {
        let key = (self.0.hashes.0.hash_one(&inputs), self.0.hashes.1.hash_one(&inputs));
        if let Some(error) = self.errors(|errors| errors.get(&key).cloned()) {
            return Err(error);
        }
        fill().inspect_err(|found| {
            if found.iter().any(is_costly) {
                self.errors(|errors| {
                    if errors.len() >= MAX_REMEMBERED {
                        errors.clear();
                    }
                    errors.insert(key, found.clone());
                });
            }
        })
    }

    fn errors<R>(&self, access: impl FnOnce(&mut HashMap<Key, Vec<OutputError>>) -> R) -> R {
        access(&mut self.0.errors.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn is_costly(error: &OutputError) -> bool {
    match error {
        OutputError::Template { error, .. } => {
            matches!(error.kind(), TemplateErrorKind::TooMuchWork | TemplateErrorKind::TooLarge)
        }
        OutputError::Format { .. }
        | OutputError::KeyTaken { .. }
        | OutputError::Name { .. }
        | OutputError::Reserved { .. }
        | OutputError::Unmet { .. } => false,
    }
}

impl fmt::Debug for Exhaustion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Exhaustion").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::{Exhaustion, MAX_REMEMBERED, OutputError};
    use crate::render::template::{MAX_SOURCE, Template};

    fn too_large() -> Vec<OutputError> {
        let error = Template::compile(&"x".repeat(MAX_SOURCE + 1)).unwrap_err();
        vec![OutputError::Template { output: "config".to_owned(), part: "key".to_owned(), error: Box::new(error) }]
    }

    fn never() -> Result<(), Vec<OutputError>> {
        panic!("it is known")
    }

    #[test]
    fn what_went_to_the_limits_is_not_tried_again() {
        let exhaustion = Exhaustion::default();
        assert_eq!(exhaustion.guard("a", || Err::<(), _>(too_large())), Err(too_large()));
        assert_eq!(exhaustion.guard("a", never), Err(too_large()));
        assert_eq!(exhaustion.clone().guard("a", never), Err(too_large()));
        assert_eq!(exhaustion.guard("b", || Ok(3)), Ok(3));
        assert_eq!(exhaustion.guard("b", || Ok(4)), Ok(4));
    }

    #[test]
    fn what_costs_little_is_tried_again() {
        let exhaustion = Exhaustion::default();
        let cheap = || vec![OutputError::KeyTaken { output: "config".to_owned(), key: "a".to_owned() }];
        assert_eq!(exhaustion.guard("a", || Err::<(), _>(cheap())), Err(cheap()));
        assert_eq!(exhaustion.guard("a", || Ok(1)), Ok(1));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let exhaustion = Exhaustion::default();
        let error = too_large();
        for input in 0..=MAX_REMEMBERED {
            let _ = exhaustion.guard(input, || Err::<(), _>(error.clone()));
        }
        assert_eq!(exhaustion.errors(|errors| errors.len()), 1);
    }
}
