// SPDX-License-Identifier: GPL-2.0

//! The VFIO interface of a virtual GPU: what a VMM reads, writes, maps and asks.
//!
//! Documentation/abi.rst lists it, and where it differs from the C driver's.

use crate::{
    screen,
    trace,
    user::Words,
    vgpu::Vgpu, //
};
use gvt_kapi::{
    dmabuf,
    eventfd::EventFd,
    kvm::Kvm,
    vfio::{
        region,
        request,
        Device,
        Operations,
        Session, //
    },
};
use gvt_model::{
    irq::{
        self,
        IrqAction,
        SetIrqs,
        SetIrqsHeader,
        Vector, //
    },
    region::{
        Position,
        RegionInfo,
        REGION_COUNT, //
    },
};
use kernel::{
    mm::virt::{
        flags,
        VmaNew, //
    },
    module::this_module,
    prelude::*,
    sync::Arc,
    uaccess::{
        UserPtr,
        UserSliceReader,
        UserSliceWriter, //
    },
};

/// `VFIO_DEVICE_FLAGS_RESET | VFIO_DEVICE_FLAGS_PCI`.
const DEVICE_FLAGS: u32 = 0x3;

/// How much of a long transfer is done before it is asked whether the user has given it up.
const PATIENCE: usize = 4096;

#[vtable]
impl Operations for Vgpu {
    fn open(device: &Device<Self>, session: Arc<Session<Self>>, kvm: Option<Kvm>) -> Result {
        device.start(session, kvm)
    }

    fn close(device: &Device<Self>) {
        device.stop();
    }

    fn removed(device: &Device<Self>) {
        device.retire();
    }

    fn read(device: &Device<Self>, pos: i64, data: &mut UserSliceWriter) -> Result<usize> {
        transfer(pos, data.len(), |at, width| {
            let mut bytes = [0; 8];
            Vgpu::read(device, at, bytes.get_mut(..width).ok_or(EFAULT)?)?;
            match width {
                8 => data.write(&bytes),
                4 => data.write(bytes.first_chunk::<4>().ok_or(EFAULT)?),
                2 => data.write(bytes.first_chunk::<2>().ok_or(EFAULT)?),
                _ => data.write(bytes.first_chunk::<1>().ok_or(EFAULT)?),
            }
        })
    }

    fn write(device: &Device<Self>, pos: i64, data: &mut UserSliceReader) -> Result<usize> {
        transfer(pos, data.len(), |at, width| {
            let mut bytes = [0; 8];
            match width {
                8 => bytes = data.read()?,
                4 => *bytes.first_chunk_mut::<4>().ok_or(EFAULT)? = data.read()?,
                2 => *bytes.first_chunk_mut::<2>().ok_or(EFAULT)? = data.read()?,
                _ => *bytes.first_chunk_mut::<1>().ok_or(EFAULT)? = data.read()?,
            }
            Vgpu::write(device, at, bytes.get(..width).ok_or(EFAULT)?)
        })
    }

    fn ioctl(device: &Device<Self>, number: u32, argument: UserPtr) -> Result<isize> {
        if number == request::GET_GFX_DMABUF {
            return get_dmabuf(device, argument);
        }
        match number {
            request::GET_INFO => device_info(argument),
            request::GET_IRQ_INFO => irq_info(argument),
            request::SET_IRQS => set_irqs(device, argument),
            request::RESET => device.reset(),
            request::QUERY_GFX_PLANE => query_plane(device, argument),
            _ => Err(ENOTTY),
        }?;
        Ok(0)
    }

    fn region(device: &Device<Self>, index: u32) -> Result<region::Info> {
        let RegionInfo {
            size,
            flags,
            sparse,
            kind,
        } = device
            .with_model(|model| model.region_info(index))
            .ok_or(EINVAL)?;
        let capability = match (sparse, kind) {
            (Some(area), _) => Some(region::Capability::SparseMmap {
                offset: area.start(),
                size: area.size(),
            }),
            (None, Some(kind)) => Some(region::Capability::Type {
                ty: kind.id,
                subtype: kind.subtype,
            }),
            (None, None) => None,
        };
        Ok(region::Info {
            size,
            flags,
            capability,
        })
    }

    fn mmap(device: &Device<Self>, vma: &VmaNew) -> Result {
        if vma.flags() & flags::SHARED == 0 {
            return Err(EINVAL);
        }
        let length = vma.end().checked_sub(vma.start()).ok_or(EINVAL)?;
        let page = u64::try_from(gvt_kapi::vma::page_offset(vma))?;
        let length = u64::try_from(length)?;
        device.map_aperture(vma, page, length)
    }

    fn dma_unmap(device: &Device<Self>, iova: u64, length: u64) {
        device.withdraw(iova, length);
    }

    fn request(device: &Device<Self>, count: u32) {
        device.ask_to_release(count);
    }
}

/// Carries out a transfer of `length` bytes at `pos`, in accesses of 1, 2, 4 or 8 bytes, and returns
/// how many bytes were done. The sizes of the copies are constants, which saves the kernel a check of
/// where they come from and go to.
///
/// # Errors
///
/// `EFAULT` for positions and lengths that no region can have; those of `body`.
fn transfer(
    pos: i64,
    length: usize,
    mut body: impl FnMut(Position, usize) -> Result,
) -> Result<usize> {
    let at = Position::decode(pos).map_err(|_| EFAULT)?;
    if at.is_whole(length) {
        body(at, length)?;
        return Ok(length);
    }
    let mut done = 0;
    for piece in at.pieces(length).map_err(|_| EFAULT)? {
        body(Position::new(at.index(), piece.offset)?, piece.bytes.len())?;
        done = piece.bytes.end;
        // The user may have given a long transfer up.
        if done % PATIENCE == 0 && kernel::current!().signal_pending() {
            break;
        }
    }
    Ok(done)
}

/// `VFIO_DEVICE_GET_INFO`: argsz, flags, number of regions, number of interrupts.
fn device_info(argument: UserPtr) -> Result {
    let mut info = Words::<4>::read_sized(argument)?;
    let [_, flags, regions, irqs] = &mut info.words;
    (*flags, *regions, *irqs) = (DEVICE_FLAGS, REGION_COUNT, irq::IRQ_COUNT);
    info.write()
}

/// `VFIO_DEVICE_GET_IRQ_INFO`: argsz, flags, index, count.
fn irq_info(argument: UserPtr) -> Result {
    let mut info = Words::<4>::read_sized(argument)?;
    let [_, flags, index, count] = &mut info.words;
    let answer = irq::irq_info(*index)?;
    (*flags, *count) = (answer.flags, answer.count);
    info.write()
}

/// `VFIO_DEVICE_SET_IRQS`: argsz, flags, index, start, count; then the data.
fn set_irqs(vgpu: &Vgpu, argument: UserPtr) -> Result {
    let header = Words::<5>::read(argument)?;
    let [argsz, flags, index, start, count] = header.words;
    let request = SetIrqs::parse(&SetIrqsHeader {
        argsz,
        flags,
        index,
        start,
        count,
    })?;
    let mut payload = [0; 4];
    let payload = payload.get_mut(..request.payload_len()).ok_or(EINVAL)?;
    header.payload(payload)?;
    match request.action(payload)? {
        IrqAction::Nothing => (),
        IrqAction::SetTrigger { vector, fd } => {
            vgpu.triggers.set(vector, Some(EventFd::from_fd(fd)?));
        }
        IrqAction::ClearTrigger(vector) => vgpu.triggers.set(vector, None),
        IrqAction::Fire(vector) => {
            let sent = vgpu.triggers.fire(vector);
            if vector == Vector::Msi {
                trace::message(vgpu.id(), sent);
            }
        }
    }
    Ok(())
}

/// `VFIO_DEVICE_QUERY_GFX_PLANE`: argsz, flags, kind of plane; then what is told of the plane: format,
/// modifier, width, height, stride, size, position, hot spot, number.
///
/// If no plane is lit the structure comes back as it was.
fn query_plane(vgpu: &Vgpu, argument: UserPtr) -> Result {
    const PROBE: u32 = 1 << 0;
    const DMABUF: u32 = 1 << 1;

    let mut info = Words::<15>::read_sized(argument)?;
    let [_, flags, kind, told @ ..] = &mut info.words;
    if *flags == DMABUF | PROBE {
        return info.write();
    }
    let layer = screen::layer(*kind).filter(|_| *flags == DMABUF);
    if let Some((plane, number)) = vgpu.plane(layer.ok_or(EINVAL)?)? {
        let modifier = plane.tiling.modifier();
        let [x, y] =
            [plane.position.0, plane.position.1].map(|at| u32::from_ne_bytes(at.to_ne_bytes()));
        let (x_hot, y_hot) = plane.hot_spot.unwrap_or((u32::MAX, u32::MAX));
        *told = [
            plane.format.fourcc(),
            u32::try_from(modifier & u64::from(u32::MAX))?,
            u32::try_from(modifier >> 32)?,
            plane.width,
            plane.height,
            plane.stride,
            u32::try_from(plane.size)?,
            x,
            y,
            x_hot,
            y_hot,
            number,
        ];
    }
    info.write()
}

/// `VFIO_DEVICE_GET_GFX_DMABUF`: the number of a plane that [`query_plane`] told. Returns a descriptor.
fn get_dmabuf(vgpu: &Vgpu, argument: UserPtr) -> Result<isize> {
    let [number] = Words::<1>::read(argument)?.words;
    let descriptor = dmabuf::export(vgpu.pages(number)?, this_module::<crate::LocalModule>())?;
    Ok(isize::try_from(descriptor)?)
}
