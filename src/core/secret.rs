//! A value that cannot be printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// A secret value: a `String` or `Vec<u8>` read from a Kubernetes Secret.
///
/// It has neither `Display` nor `Serialize`, its `Debug` redacts, equality takes the same time wherever two values of
/// one length differ, and the memory is overwritten when it is dropped. [`Secret::expose_secret`] is the only way to
/// the value, so a search for that name finds every use.
#[derive(Clone)]
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value into custody. Copies that the caller keeps are its own concern.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for validating it, rendering it into a Secret and hashing it with a key.
    pub fn expose_secret(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(redacted)")
    }
}

impl<T: Zeroize + AsRef<[u8]>> PartialEq for Secret<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_ref().ct_eq(other.0.as_ref()).into()
    }
}

impl<T: Zeroize + AsRef<[u8]>> Eq for Secret<T> {}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn debug_redacts_in_every_form() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    Secret(redacted),\n)");
        assert_eq!(format!("{:?}", Secret::new(b"hunter2".to_vec())), "Secret(redacted)");
    }

    #[test]
    fn compares_by_value() {
        assert_eq!(Secret::from("a".to_owned()), Secret::new("a".to_owned()));
        assert_ne!(Secret::new("a".to_owned()), Secret::new("b".to_owned()));
        assert_ne!(Secret::new(b"a".to_vec()), Secret::new(b"aa".to_vec()));
    }

    #[test]
    fn exposes_the_value_and_clones_it() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(secret.clone().expose_secret(), "hunter2");
    }

    struct Recorder(Rc<RefCell<u32>>);

    impl Zeroize for Recorder {
        fn zeroize(&mut self) {
            *self.0.borrow_mut() += 1;
        }
    }

    #[test]
    fn overwrites_the_value_once_on_drop() {
        let overwritten = Rc::new(RefCell::new(0));
        drop(Secret::new(Recorder(Rc::clone(&overwritten))));
        assert_eq!(*overwritten.borrow(), 1);
    }
}
