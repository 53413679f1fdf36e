//! New inputs out of known ones: as bytes, and as trees where they are JSON.

use serde_json::{Map, Value, json};

/// What is troublesome anywhere.
const TROUBLE: [&str; 24] = [
    "",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "😀",
    "é",
    "\u{85}",
    "\u{2028}",
    "\r\n",
    "\t",
    "'",
    "\"",
    "`",
    "$",
    "${a}",
    "\\",
    "#",
    "no",
    "1e3",
    "0x10",
    "12:30:45",
    "007",
    "9223372036854775808",
    "-0.0",
];

/// Numbers from a seed (splitmix64).
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Less than `limit`; 0 where there is nothing to choose from.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % (limit.max(1) as u64)).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// Changes inputs at random.
pub struct Mutator {
    /// Words of the target's language.
    pub tokens: &'static [&'static str],
}

impl Mutator {
    pub fn mutate(&self, random: &mut Random, known: &[Vec<u8>]) -> Vec<u8> {
        let mut input = random.pick(known).clone();
        for _ in 0..=random.below(6) {
            if random.below(2) == 0
                && let Ok(mut tree) = serde_json::from_slice::<Value>(&input)
            {
                self.change_tree(random, &mut tree, known);
                input = tree.to_string().into_bytes();
            } else {
                self.change_bytes(random, &mut input, known);
            }
        }
        input
    }

    fn token(&self, random: &mut Random) -> String {
        let token = if random.below(2) == 0 { *random.pick(self.tokens) } else { *random.pick(&TROUBLE) };
        // Now and then very often.
        let times = [1, 1, 1, 1, 2, 30, 2000][random.below(7)];
        if token.len() * times > 20_000 { token.to_owned() } else { token.repeat(times) }
    }

    fn change_bytes(&self, random: &mut Random, input: &mut Vec<u8>, known: &[Vec<u8>]) {
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(16)).min(input.len());
        match random.below(6) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 => drop(input.drain(at..end.max(at))),
            2 => {
                let part = input[at..end.max(at)].to_vec();
                input.splice(at..at, part);
            }
            3 => {
                let other = random.pick(known);
                let from = random.below(other.len() + 1);
                input.truncate(at);
                input.extend_from_slice(&other[from..]);
            }
            _ => {
                let token = self.token(random);
                input.splice(at..at, token.into_bytes());
            }
        }
    }

    fn change_tree(&self, random: &mut Random, tree: &mut Value, known: &[Vec<u8>]) {
        let node = any_node(random, tree);
        match random.below(8) {
            0 => *node = Value::Null,
            1 => *node = json!([node.clone(), node.clone()]),
            2 => *node = json!({ self.token(random): node.clone() }),
            3 => *node = Value::String(self.token(random)),
            4 => {
                let others = [json!(true), json!(-1), json!(1e300), json!(u64::MAX), json!(0.1), json!([]), json!({})];
                node.clone_from(random.pick(&others));
            }
            5 => {
                if let Ok(mut other) = serde_json::from_slice::<Value>(random.pick(known).as_slice()) {
                    *node = any_node(random, &mut other).clone();
                }
            }
            _ => self.change_fields(random, node),
        }
    }

    fn change_fields(&self, random: &mut Random, node: &mut Value) {
        let name = self.token(random);
        let Value::Object(fields) = node else {
            *node = json!({ name: node.clone() });
            return;
        };
        let names: Vec<String> = fields.keys().cloned().collect();
        if random.below(3) == 0 && !names.is_empty() {
            fields.remove(random.pick(&names));
        } else {
            let value = names.first().and_then(|first| fields.get(first)).cloned().unwrap_or(Value::Object(Map::new()));
            fields.insert(name, value);
        }
    }
}

/// The tree itself, or any part of it.
fn any_node<'a>(random: &mut Random, tree: &'a mut Value) -> &'a mut Value {
    let mut node = tree;
    loop {
        let count = match &*node {
            Value::Array(items) => items.len(),
            Value::Object(fields) => fields.len(),
            _ => 0,
        };
        if count == 0 || random.below(4) == 0 {
            return node;
        }
        let chosen = random.below(count);
        node = match node {
            Value::Array(items) => &mut items[chosen],
            Value::Object(fields) => fields.values_mut().nth(chosen).unwrap(),
            _ => unreachable!("it has parts"),
        };
    }
}
