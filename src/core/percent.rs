//! Text in URLs.

/// Decodes `%2F` and the like (RFC 3986, section 2.1); `None` if it is malformed or no UTF-8.
#[must_use]
pub fn percent_decode(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        rest = tail;
        if first != b'%' {
            decoded.push(first);
            continue;
        }
        let (digits, tail) = rest.split_at_checked(2)?;
        let digits = digits.iter().map(|&digit| char::from(digit).to_digit(16));
        let byte = digits.reduce(|high, low| Some(high? * 16 + low?))??;
        decoded.push(u8::try_from(byte).ok()?);
        rest = tail;
    }
    String::from_utf8(decoded).ok()
}
