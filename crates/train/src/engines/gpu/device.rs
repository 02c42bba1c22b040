//! Which device computes, and what is said when there is none.
//!
//! burn loads the driver and the compiler of kernels when it first needs them, and panics without; so both are tried before a model is read.

use std::panic::{AssertUnwindSafe, catch_unwind};

use burn_tensor::{DType, Device, Tensor, TensorCreationOptions, TensorData};

use super::super::{EngineError, Precision};
use super::products::Products;

/// Whether there is a device at all; reads no model and is quick.
///
/// # Errors
/// [`EngineError::Unavailable`] with what is missing.
pub(in super::super) fn available() -> Result<(), EngineError> {
    find().map(|_| ())
}

/// The device, on which something was computed.
pub(super) fn open(precision: Precision) -> Result<Device, EngineError> {
    let device = find()?;
    let computes = || read(Tensor::<1>::ones([1], &device) + 1.0).is_ok_and(|values| values == [2.0]);
    if !catch_unwind(AssertUnwindSafe(computes)).unwrap_or(false) {
        return Err(unavailable(
            "it cannot add two numbers; is NVRTC, the part of CUDA that compiles kernels, installed, and are CUDA's headers in \
             $CUDA_PATH/include or /usr/local/cuda/include?",
        ));
    }
    if precision == Precision::Bf16 && !device.supports_dtype(DType::BF16) {
        let reason =
            "`engine.precision` is \"bf16\", which this device does not compute with; expected \"fp32\"".to_owned();
        return Err(EngineError::Invalid { reason });
    }
    Ok(device)
}

/// How it multiplies.
pub(super) fn products(precision: Precision) -> Products {
    match precision {
        Precision::Bf16 => Products::Bf16,
        // Kernels on tensor cores take fp32 as TF32, and burn has no setting against that.
        Precision::Fp32 if cfg!(feature = "cuda") => Products::Split,
        Precision::Fp32 => Products::Exact,
    }
}

#[cfg(feature = "cuda")]
fn find() -> Result<Device, EngineError> {
    let devices = Device::enumerate(burn_tensor::DeviceType::Cuda);
    devices.into_iter().next().ok_or_else(|| {
        unavailable("no CUDA device was found: NVIDIA's driver (libcuda.so) is not installed, or shows none; see what `nvidia-smi` says")
    })
}

#[cfg(all(feature = "gpu-tests", not(feature = "cuda")))]
fn find() -> Result<Device, EngineError> {
    Ok(Device::flex())
}

#[cfg(not(any(feature = "cuda", feature = "gpu-tests")))]
fn find() -> Result<Device, EngineError> {
    Err(unavailable("this build has no device for it; build it with `--features cuda`"))
}

fn unavailable(reason: &str) -> EngineError {
    EngineError::Unavailable { reason: format!("engine `gpu`: {reason}") }
}

/// Brings values to the host.
pub(super) fn read<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>, EngineError> {
    tensor.try_into_vec_as().map_err(|error| unavailable(&format!("the device failed: {error}")))
}

/// Takes a matrix to the device.
pub(super) fn matrix(values: Vec<f32>, shape: [usize; 2], device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(values, shape), fp32(device))
}

/// Takes indices to the device.
pub(super) fn indices(values: impl Iterator<Item = usize>, device: &Device) -> Tensor<1, burn_tensor::Int> {
    let values: Vec<i32> = values.map(|index| i32::try_from(index).expect("sizes are below 2^24")).collect();
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), device)
}

/// What is made on the device is fp32, whatever its default.
pub(super) fn fp32(device: &Device) -> TensorCreationOptions {
    TensorCreationOptions::new(device.clone()).with_dtype(DType::F32)
}
