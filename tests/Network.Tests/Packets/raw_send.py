# Sends IP packets as they are, one in hex a line of standard input: no kernel mends them on their way to the wire.
# usage: raw_send.py INTERFACE NEXT_HOP_MAC
import socket
import sys

s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM)
mac = bytes.fromhex(sys.argv[2].replace(":", ""))
count = 0
for line in sys.stdin:
    packet = bytes.fromhex(line)
    s.sendto(packet, (sys.argv[1], 0x86DD if packet[0] >> 4 == 6 else 0x0800, 0, 0, mac))
    count += 1
print(count)
