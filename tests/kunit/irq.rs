// SPDX-License-Identifier: GPL-2.0

//! `VFIO_DEVICE_GET_IRQ_INFO` and `VFIO_DEVICE_SET_IRQS`.

use kernel::prelude::*;

#[kunit_tests(gvt_irq)]
mod gvt_irq {
    use super::*;
    use gvt_model::irq::{
        irq_info,
        IrqAction,
        IrqInfo,
        SetIrqs,
        SetIrqsHeader,
        Vector, //
    };

    const NONE: u32 = 1;
    const BOOL: u32 = 2;
    const EVENTFD: u32 = 4;
    const MASK: u32 = 8;
    const UNMASK: u32 = 16;
    const TRIGGER: u32 = 32;

    const INTX: u32 = 0;
    const MSI: u32 = 1;
    const MSIX: u32 = 2;
    const ERR: u32 = 3;
    const REQ: u32 = 4;

    const fn header(flags: u32, index: u32, start: u32, count: u32) -> SetIrqsHeader {
        SetIrqsHeader {
            argsz: 24,
            flags,
            index,
            start,
            count,
        }
    }

    /// Does what the driver does, with a payload that is long enough for everything.
    fn set(header: &SetIrqsHeader, payload: [u8; 4]) -> Result<IrqAction> {
        let request = SetIrqs::parse(header)?;
        let payload = payload.get(..request.payload_len()).ok_or(EINVAL)?;
        request.action(payload)
    }

    #[test]
    fn interrupts_are_intx_msi_and_request() {
        assert_eq!(irq_info(INTX), Ok(IrqInfo { flags: 7, count: 1 }));
        assert_eq!(irq_info(MSI), Ok(IrqInfo { flags: 9, count: 1 }));
        assert_eq!(irq_info(REQ), Ok(IrqInfo { flags: 9, count: 1 }));
        for index in [MSIX, ERR, 5, u32::MAX] {
            assert_eq!(irq_info(index), Err(EINVAL));
        }
    }

    #[test]
    fn there_is_one_kind_of_data_and_one_action() {
        for flags in [
            0,
            NONE,
            TRIGGER,
            NONE | BOOL | TRIGGER,
            BOOL | EVENTFD | TRIGGER,
            NONE | BOOL | EVENTFD | TRIGGER,
            NONE | MASK | TRIGGER,
            EVENTFD | MASK | UNMASK,
            !0,
        ] {
            assert_eq!(set(&header(flags, MSI, 0, 1), [0; 4]), Err(EINVAL));
        }
    }

    #[test]
    fn headers_with_data_are_checked() {
        let good = header(EVENTFD | TRIGGER, MSI, 0, 1);
        assert!(SetIrqs::parse(&good).is_ok());
        for bad in [
            SetIrqsHeader { argsz: 0, ..good },
            SetIrqsHeader { argsz: 19, ..good },
            SetIrqsHeader { argsz: 20, ..good },
            SetIrqsHeader { argsz: 23, ..good },
            SetIrqsHeader { count: 0, ..good },
            SetIrqsHeader { count: 2, ..good },
            SetIrqsHeader {
                count: u32::MAX,
                ..good
            },
            SetIrqsHeader { start: 1, ..good },
            SetIrqsHeader {
                start: u32::MAX,
                ..good
            },
            SetIrqsHeader {
                start: u32::MAX,
                count: u32::MAX,
                ..good
            },
            SetIrqsHeader { index: 5, ..good },
            SetIrqsHeader {
                index: u32::MAX,
                ..good
            },
            SetIrqsHeader {
                index: MSIX,
                ..good
            },
            SetIrqsHeader { index: ERR, ..good },
            SetIrqsHeader {
                flags: good.flags | 64,
                ..good
            },
            SetIrqsHeader {
                flags: good.flags | 1 << 31,
                ..good
            },
        ] {
            assert_eq!(set(&bad, [0; 4]), Err(EINVAL));
        }
        let flag = header(BOOL | TRIGGER, MSI, 0, 1);
        assert!(SetIrqs::parse(&SetIrqsHeader { argsz: 21, ..flag }).is_ok());
        assert!(SetIrqs::parse(&SetIrqsHeader { argsz: 20, ..flag }).is_err());
        assert!(SetIrqs::parse(&SetIrqsHeader {
            argsz: u32::MAX,
            ..flag
        })
        .is_ok());
    }

    #[test]
    fn headers_without_data_are_not_checked() {
        // So does the C driver; only the flags count.
        for argsz in [0, 19, u32::MAX] {
            let request = SetIrqsHeader {
                argsz,
                ..header(NONE | TRIGGER | 1 << 20, MSI, 7, 0)
            };
            assert_eq!(
                set(&request, [0; 4]),
                Ok(IrqAction::ClearTrigger(Vector::Msi))
            );
        }
        for index in [MSIX, ERR, 5, u32::MAX] {
            let request = header(NONE | TRIGGER, index, 0, 0);
            assert_eq!(set(&request, [0; 4]), Err(ENOTTY));
        }
    }

    #[test]
    fn the_payload_is_what_the_data_needs() -> Result {
        for (flags, length) in [(NONE, 0), (BOOL, 1), (EVENTFD, 4)] {
            let request = SetIrqs::parse(&header(flags | TRIGGER, MSI, 0, 1))?;
            assert_eq!(request.payload_len(), length);
            let payload = [0; 8];
            for wrong in (0..8).filter(|wrong| *wrong != length) {
                let payload = payload.get(..wrong).ok_or(EINVAL)?;
                assert_eq!(request.action(payload), Err(EINVAL));
            }
        }
        Ok(())
    }

    #[test]
    fn intx_takes_everything_and_does_nothing() {
        for data in [NONE, BOOL, EVENTFD] {
            for action in [MASK, UNMASK, TRIGGER] {
                let request = header(data | action, INTX, 0, 1);
                assert_eq!(set(&request, [1; 4]), Ok(IrqAction::Nothing));
            }
        }
    }

    #[test]
    fn messages_cannot_be_masked() {
        for index in [MSI, REQ] {
            for data in [NONE, BOOL, EVENTFD] {
                for action in [MASK, UNMASK] {
                    let request = header(data | action, index, 0, 1);
                    assert_eq!(set(&request, [1; 4]), Err(ENOTTY));
                }
            }
        }
    }

    #[test]
    fn an_eventfd_is_set_and_taken_away() {
        for (index, vector) in [(MSI, Vector::Msi), (REQ, Vector::Request)] {
            let request = header(EVENTFD | TRIGGER, index, 0, 1);
            for fd in [0, 5, i32::MAX, -2, i32::MIN] {
                assert_eq!(
                    set(&request, fd.to_le_bytes()),
                    Ok(IrqAction::SetTrigger { vector, fd })
                );
            }
            // The C driver looks for file descriptor -1.
            let none = (-1i32).to_le_bytes();
            assert_eq!(set(&request, none), Ok(IrqAction::ClearTrigger(vector)));
            let none = header(NONE | TRIGGER, index, 0, 0);
            assert_eq!(set(&none, [0; 4]), Ok(IrqAction::ClearTrigger(vector)));
        }
    }

    #[test]
    fn user_space_can_fire_an_interrupt() {
        // The C driver does nothing here.
        for (index, vector) in [(MSI, Vector::Msi), (REQ, Vector::Request)] {
            let none = header(NONE | TRIGGER, index, 0, 1);
            assert_eq!(set(&none, [0; 4]), Ok(IrqAction::Fire(vector)));
            let flag = header(BOOL | TRIGGER, index, 0, 1);
            assert_eq!(set(&flag, [1, 0, 0, 0]), Ok(IrqAction::Fire(vector)));
            assert_eq!(set(&flag, [0xff, 0, 0, 0]), Ok(IrqAction::Fire(vector)));
            assert_eq!(set(&flag, [0, 1, 1, 1]), Ok(IrqAction::Nothing));
            let other = header(NONE | TRIGGER, index, 1, 1);
            assert_eq!(set(&other, [0; 4]), Ok(IrqAction::Nothing));
        }
    }
}
