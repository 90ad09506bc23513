//! Shapes: what may stand where, as data. The tables in `language.rs` are written in
//! these words; the checker, the JSON Schema and the documentation all read them.

/// What a value must look like.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Text that is not empty; numbers and booleans count as written. Says what it is.
    Text(&'static str),
    /// Any scalar, empty text included.
    Value,
    /// `true` or `false`.
    Flag,
    /// A number without sign and fraction.
    Count,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of values of one shape.
    List(&'static Shape),
    /// Names of people's choosing (and what those are called), each with a value of one shape.
    Map(&'static str, &'static Shape),
    /// A mapping with known keys.
    Record(&'static Mapping),
    /// Any of these, told apart by text, list or mapping.
    OneOf(&'static [Shape]),
    /// This, or nothing at all.
    Maybe(&'static Shape),
    /// Whatever stands there.
    Free,
}

/// A mapping with known keys.
#[derive(Debug)]
pub struct Mapping {
    /// What it is, for messages: `a source`.
    pub what: &'static str,
    /// Its keys.
    pub fields: &'static [Field],
    /// Keys of which exactly one must be there; empty if there is no such choice.
    pub exactly_one: &'static [&'static str],
}

/// A known key.
#[derive(Debug)]
pub struct Field {
    /// The key.
    pub key: &'static str,
    /// What its value must look like.
    pub shape: Shape,
    /// One sentence for people who write it.
    pub doc: &'static str,
    /// Whether it may be left out.
    pub need: Presence,
    /// What holds where it is left out, in Markdown, where the sentence does not say so.
    pub default: Option<&'static str>,
    /// A value that it could have, as YAML. Empty for keys that forge alone writes.
    pub example: &'static str,
    /// The version of forge that knew it first.
    pub since: &'static str,
}

impl Field {
    /// With what holds where it is left out.
    #[must_use]
    pub const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    /// With a value that it could have.
    #[must_use]
    pub const fn example(self, example: &'static str) -> Self {
        Self { example, ..self }
    }

    /// With the version of forge that knew it first.
    #[must_use]
    pub const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }
}

/// Whether a key may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It may.
    Optional,
    /// It may not.
    Required,
    /// It stands only beside this other key, and may be left out.
    With(&'static str),
    /// It stands only beside this other key, and then may not be left out.
    RequiredWith(&'static str),
}

impl Mapping {
    /// The field called `key`.
    pub fn field(&self, key: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.key == key)
    }

    /// Whether anything may be under `key`: a Taskfile keeps what it repeats under `x-NAME` or `.NAME`.
    pub fn is_open_to(&self, key: &str) -> bool {
        self.what == "a Taskfile" && (key.starts_with("x-") || key.starts_with('.'))
    }

    /// The field under which `key` would be known.
    pub fn home_of(&self, key: &str) -> Option<&'static str> {
        let knows = |shape: &Shape| match shape {
            Shape::Record(record) => record.field(key).is_some(),
            _ => false,
        };
        let home = self.fields.iter().find(|field| match field.shape {
            Shape::OneOf(shapes) => shapes.iter().any(knows),
            shape => knows(&shape),
        });
        home.map(|field| field.key)
    }

    /// All keys, in the order of the table.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> + Clone + use<> {
        self.fields.iter().map(|field| field.key)
    }
}

impl Shape {
    /// What it is, for messages: `a list`.
    pub fn what(&self) -> String {
        match self {
            Self::Text(what) => (*what).to_owned(),
            Self::Value => "text".into(),
            Self::Flag => "`true` or `false`".into(),
            Self::Count => "a number such as 1".into(),
            Self::Choice(words) => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                match words.split_last() {
                    Some((last, others)) if !others.is_empty() => {
                        format!("{} or {last}", others.join(", "))
                    }
                    _ => words.concat(),
                }
            }
            Self::List(_) => "a list".into(),
            Self::Map(names, _) => format!("a mapping from {names}"),
            Self::Record(record) => format!("a mapping ({})", record.what),
            Self::OneOf(shapes) => {
                let whats: Vec<_> = shapes.iter().map(Self::what).collect();
                whats.join(", or ")
            }
            Self::Maybe(inner) => inner.what(),
            Self::Free => "anything".into(),
        }
    }
}
