//! Steps over random weights, timed: what a shape of model costs on this machine, and how the cost grows.

mod device;
mod growth;
mod report;
mod shape;
mod step;

pub use device::{Check, DeviceReport, DeviceRequest, DeviceStep, Rate, device_report};
pub use growth::{Fit, Growth, Sweep, grow};
pub use shape::{SHAPES, Shape};
pub use step::{Setting, Stepped, step, step_on};
