//! The closing of a run that made or released images.

use super::{
    fault::render_fault,
    human::{human_size, human_time},
    style::{Role, Style},
    table::{Align, Cell, Table},
};
use crate::model::{ImageHow, ImageReport, counted};

/// The table of `images`, what went wrong, and the sum. With `all`, also those of which nothing was to do.
pub fn render_images(images: &[ImageReport], all: bool, seconds: f64, style: Style) -> String {
    let mut parts = Vec::new();
    let shown = |one: &&ImageReport| all || one.how != ImageHow::Released || !one.moved.is_empty();
    let table = table(images.iter().filter(shown));
    if !table.is_empty() {
        parts.push(table.render(style));
    }
    let failed = images.iter().filter(|one| one.how == ImageHow::Failed);
    parts.extend(failed.filter_map(|one| one.fault.as_ref()).map(|it| render_fault(it, style)));
    let skipped = images.iter().filter(|one| one.how == ImageHow::Skipped);
    let line = |one: &ImageReport| {
        let label = style.paint(Role::Warn, "skipped:");
        format!("{label} image of {}: {}\n", one.name, one.reason)
    };
    parts.push(skipped.map(line).collect());
    let is_good = images.iter().all(|one| one.fault.is_none());
    let role = if is_good { Role::Ok } else { Role::Error };
    parts.push(style.paint(role, &images_sum(images, seconds)) + "\n");
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

/// `6 images in 3.2 s: 5 released, 1 pushed`.
pub fn images_sum(images: &[ImageReport], seconds: f64) -> String {
    let count = |how: &&ImageHow| images.iter().filter(|one| one.how == **how).count();
    let counts = ImageHow::ALL.iter().filter(|how| count(how) > 0);
    let counts: Vec<_> = counts.map(|how| format!("{} {}", count(&how), how.as_str())).collect();
    let what = counted(images.len(), "image");
    format!("{what} in {}: {}", human_time(seconds), counts.join(", "))
}

fn table<'r>(images: impl Iterator<Item = &'r ImageReport>) -> Table {
    let mut table = Table::new([
        ("image", Align::Left),
        ("how", Align::Left),
        ("size", Align::Right),
        ("time", Align::Right),
    ]);
    for one in images {
        let role = match one.how {
            how if how.is_good() && one.fault.is_none() => Role::Ok,
            ImageHow::Skipped => Role::Warn,
            _ => Role::Error,
        };
        let moved = one.moved.join(", ");
        let how = match moved.as_str() {
            "" => one.how.as_str().to_owned(),
            moved => format!("{}, also {moved}", one.how.as_str()),
        };
        let size = Some(one.bytes).filter(|bytes| *bytes > 0).map(human_size);
        let time = Some(one.seconds).filter(|seconds| *seconds > 0.0).map(human_time);
        table.row(vec![
            Cell::new(Role::Name, one.image.clone()),
            Cell::new(role, how),
            Cell::from(size.unwrap_or_default()),
            Cell::from(time.unwrap_or_default()),
        ]);
    }
    table
}
