//! What templates cost, so that none takes more memory or time than it may. Everything that a
//! template reads or makes is weighed and charged to an account: one per rendering, and one for
//! all renderings of a workspace.
//!
//! Values share their parts, so a small template can make a value that is gigantic only once it is
//! written out. Hence a value weighs what it would weigh written out, each part as often as it
//! occurs, and the weighing itself stops as soon as the account is empty.

use std::sync::atomic::{AtomicU64, Ordering};

use minijinja::{
    Error, ErrorKind, State, Value,
    value::{DynObject, ObjectRepr},
};

/// How much one rendering may make and read: some 16 MiB of text, or 500,000 values.
const OF_ONE: u64 = 16 << 20;
/// How much all renderings of one workspace may. A workspace of a thousand specs needs a tenth.
const OF_ALL: u64 = 512 << 20;
/// How deep values may be nested.
const MAX_DEPTH: u32 = 64;

/// What making one value costs, beside its text.
const NODE: u64 = 32;
/// How much cheaper it is to read a value than to make it, and likewise a text.
const READ_NODES: u64 = 8;
const READ_BYTES: u64 = 16;
/// What an instruction costs.
const INSTRUCTION: u64 = 50;
/// How much dearer it is to keep what a template gave than to make it.
const KEPT: u64 = 4;

/// What the renderings of one workspace spent together.
#[derive(Debug)]
pub struct Total {
    spent: AtomicU64,
    most: u64,
}

impl Default for Total {
    fn default() -> Self {
        Self { spent: AtomicU64::new(0), most: OF_ALL }
    }
}

/// What is left for a rendering; it lives in its [`State`].
struct Left(u64);

/// What a value weighs, written out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueWeight {
    /// Values, all those in it included.
    pub nodes: u64,
    /// Bytes of text.
    pub bytes: u64,
    /// How deep it is nested.
    pub depth: u32,
}

impl ValueWeight {
    /// What making it costs.
    pub fn made(self) -> u64 {
        self.nodes.saturating_mul(NODE).saturating_add(self.bytes)
    }

    /// What `value`, which weighs this, costs `times` over: a text becomes longer, a list has more
    /// parts, and anything else is no more than it was.
    pub fn repeated(self, value: &Value, times: &Value) -> u64 {
        let times = if value.is_number() { 1 } else { times.as_usize().unwrap_or(1) as u64 };
        match value.as_str() {
            Some(_) => self.bytes.saturating_mul(times).saturating_add(NODE),
            None => self.made().saturating_mul(times),
        }
    }

    /// What reading it costs.
    pub fn read(self) -> u64 {
        self.nodes * NODE / READ_NODES + self.bytes / READ_BYTES
    }
}

impl Total {
    /// For as many renderings as there are: those of a run, of which nothing is kept.
    pub fn without_end() -> Self {
        Self { spent: AtomicU64::new(0), most: u64::MAX }
    }

    /// Takes `cost` from the account of the rendering, and from that of all.
    pub fn charge(&self, state: &mut State, cost: u64) -> Result<(), Error> {
        let left = state.get_or_insert_extension_with(|| Left(OF_ONE));
        self.add(cost.min(left.0))?;
        match left.0.checked_sub(cost) {
            Some(rest) => left.0 = rest,
            None => return Err(too_much()),
        }
        Ok(())
    }

    /// What `value` weighs, if there is enough left for it.
    pub fn weigh(&self, state: &mut State, value: &Value) -> Result<ValueWeight, Error> {
        self.weigh_within(state, value, 0)
    }

    /// What `value` weighs as a part of another.
    pub fn weigh_part(&self, state: &mut State, value: &Value) -> Result<ValueWeight, Error> {
        self.weigh_within(state, value, 1)
    }

    fn weigh_within(
        &self,
        state: &mut State,
        value: &Value,
        depth: u32,
    ) -> Result<ValueWeight, Error> {
        let left = state.get_or_insert_extension_with(|| Left(OF_ONE)).0;
        let mut scales = Scales { most: left, weight: ValueWeight::default() };
        let weighed = scales.add(value, depth);
        if let Err(error) = weighed {
            // What was looked at before it proved too heavy was looked at all the same.
            self.charge(state, scales.weight.read().min(left))?;
            return Err(error);
        }
        Ok(scales.weight)
    }

    /// Books a finished rendering: its instructions and what is kept of it.
    pub fn book(&self, instructions: u64, kept: ValueWeight) -> Result<(), Error> {
        self.add(instructions * INSTRUCTION + kept.made().saturating_mul(KEPT))
    }

    fn add(&self, cost: u64) -> Result<(), Error> {
        let before = self.spent.fetch_add(cost, Ordering::Relaxed);
        match before.saturating_add(cost) <= self.most {
            true => Ok(()),
            false => Err(Error::new(
                ErrorKind::OutOfFuel,
                "the templates of this workspace do too much work together",
            )),
        }
    }
}

/// What `value` weighs, if that is at most what one rendering may make.
pub fn weight(value: &Value) -> Result<ValueWeight, Error> {
    let mut scales = Scales { most: OF_ONE, weight: ValueWeight::default() };
    scales.add(value, 0)?;
    Ok(scales.weight)
}

/// `value` with its parts at hand. Values that are worked out only when they are looked at could
/// be chained without end.
pub fn settle(value: Value) -> Value {
    let Some(object) = value.as_object() else { return value };
    let is_merged = object.type_name().contains("::merge_object::");
    match object.repr() {
        ObjectRepr::Iterable => object.try_iter().into_iter().flatten().collect(),
        ObjectRepr::Seq if is_merged => object.try_iter().into_iter().flatten().collect(),
        ObjectRepr::Map if is_merged => {
            Value::from_pairs(object.try_iter_pairs().into_iter().flatten())
        }
        _ => value,
    }
}

struct Scales {
    most: u64,
    weight: ValueWeight,
}

impl Scales {
    fn add(&mut self, value: &Value, depth: u32) -> Result<(), Error> {
        self.weight.nodes += 1;
        self.weight.depth = self.weight.depth.max(depth);
        let text = value.as_str().map(str::len).or_else(|| value.as_bytes().map(<[u8]>::len));
        self.weight.bytes += text.unwrap_or(0) as u64;
        if self.weight.made() > self.most {
            return Err(too_much());
        }
        match value.as_object() {
            Some(object) if text.is_none() => self.add_parts(object, depth),
            _ => Ok(()),
        }
    }

    fn add_parts(&mut self, object: &DynObject, depth: u32) -> Result<(), Error> {
        let repr = object.repr();
        if repr == ObjectRepr::Plain {
            return Ok(());
        }
        if depth > 0 && changes(object) {
            let what = "`loop` and namespaces cannot be put into a list, mapping or namespace";
            return Err(Error::new(ErrorKind::InvalidOperation, what));
        }
        if depth == MAX_DEPTH {
            let what = format!("a value of this template is nested deeper than {MAX_DEPTH} levels");
            return Err(Error::new(ErrorKind::OutOfFuel, what));
        }
        if repr == ObjectRepr::Map {
            for (key, part) in object.try_iter_pairs().into_iter().flatten() {
                self.add(&key, depth + 1)?;
                self.add(&part, depth + 1)?;
            }
            return Ok(());
        }
        object.try_iter().into_iter().flatten().try_for_each(|part| self.add(&part, depth + 1))
    }
}

/// Whether it can weigh more later than it does now.
fn changes(object: &DynObject) -> bool {
    let kind = object.type_name();
    kind.contains("::namespace_object::") || kind.contains("::loop_object::")
}

fn too_much() -> Error {
    Error::new(ErrorKind::OutOfFuel, "this template makes too much text or too many values")
}
