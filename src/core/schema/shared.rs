//! Compiled schemas by their content, as long as somebody uses them: a facet that a hundred definitions use is compiled once.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError, Weak};

use super::{Compiled, RuleEdition, Schema};

static COMPILED: LazyLock<Mutex<Shared>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Shared {
    schemas: HashMap<([u8; 32], RuleEdition), Weak<Compiled>>,
    /// Those that nobody uses any more are forgotten when there are so many.
    limit: usize,
}

/// One of the same content, read by the same rules, that is in use.
pub(super) fn find(hash: &[u8; 32], rules: RuleEdition) -> Option<Schema> {
    access(|shared| shared.schemas.get(&(*hash, rules))?.upgrade()).map(Schema)
}

/// From now on this one is found.
pub(super) fn keep(schema: &Schema) {
    access(|shared| {
        if shared.schemas.len() >= shared.limit {
            shared.schemas.retain(|_, known| known.strong_count() > 0);
            shared.limit = shared.schemas.len() * 2 + 64;
        }
        shared.schemas.insert((schema.0.hash, schema.0.rules), std::sync::Arc::downgrade(&schema.0));
    });
}

fn access<R>(access: impl FnOnce(&mut Shared) -> R) -> R {
    access(&mut COMPILED.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use super::super::Schema;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn what_is_in_use_is_compiled_once() {
        let schema = json!({"type": "object", "title": "compiled once", "properties": {"a": {"type": "string"}}});
        let first = Schema::compile(&schema).unwrap();
        assert!(Arc::ptr_eq(&first.0, &Schema::compile(&schema).unwrap().0));
        let other = json!({"type": "object", "title": "compiled once", "properties": {"a": {"type": "integer"}}});
        assert!(!Arc::ptr_eq(&first.0, &Schema::compile(&other).unwrap().0));
        let before = Arc::downgrade(&first.0);
        drop(first);
        assert!(before.upgrade().is_none());
        assert!(Schema::compile(&schema).is_ok());
    }
}
