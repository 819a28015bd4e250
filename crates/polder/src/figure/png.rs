//! A picture in pixels.

use std::sync::{Arc, LazyLock};

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb};

use crate::error::{Error, Result};

/// The widest and the highest picture.
const MOST: u32 = 16_384;

/// The one font, so that a picture is the same on every machine.
static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(epaint_default_fonts::UBUNTU_LIGHT.to_vec());
    Arc::new(fonts)
});

/// What an SVG text draws.
pub(super) fn tree(svg: &str) -> Result<Tree> {
    let options = Options { fontdb: Arc::clone(&FONTS), ..Options::default() };
    Tree::from_str(svg, &options).map_err(|error| refused(error.to_string()))
}

/// The SVG text in pixels, so many across, as a PNG file.
pub(super) fn encoded(svg: &str, width: u32) -> Result<Vec<u8>> {
    let pixels = pixels(svg, width)?;
    pixels.encode_png().map_err(|error| refused(error.to_string()))
}

/// The SVG text in pixels, so many across.
pub(super) fn pixels(svg: &str, width: u32) -> Result<Pixmap> {
    let tree = tree(svg)?;
    let scale = width as f32 / tree.size().width();
    let height = (tree.size().height() * scale).ceil();
    if width == 0 || width > MOST || height > MOST as f32 {
        return Err(refused(format!("it can't be {width} pixels wide; 1 to {MOST} each way are possible")));
    }
    let mut pixels = Pixmap::new(width, (height as u32).max(1)).ok_or_else(|| refused("no memory".to_owned()))?;
    resvg::render(&tree, Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels)
}

fn refused(reason: String) -> Error {
    Error::Figure { reason }
}
