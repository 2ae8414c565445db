"""A Modbus RTU slave on the tty named by the argument: 16 holding registers,
register n has 100 + n."""

import sys

from pymodbus import FramerType
from pymodbus.datastore import ModbusDeviceContext, ModbusSequentialDataBlock, ModbusServerContext
from pymodbus.server import StartSerialServer

registers = ModbusSequentialDataBlock(1, [100 + n for n in range(16)])
device = ModbusDeviceContext(hr=registers)
print("ready", flush=True)
StartSerialServer(
    context=ModbusServerContext(devices=device, single=True),
    framer=FramerType.RTU,
    port=sys.argv[1],
    baudrate=19200,
)
