# A foreign SOCKS5 client (PySocks): UDP ASSOCIATE through the proxy, one datagram of each size to each target, until it comes back.
# usage: socks_udp.py PROXY PORT USER PASSWORD TARGET_PORT TARGET...   ("" for no user)
import os
import socket
import sys

import socks

proxy, port, user, password, target_port = sys.argv[1:6]
s = socks.socksocket(socket.AF_INET, socket.SOCK_DGRAM)
s.set_proxy(socks.SOCKS5, proxy, int(port), True, user or None, password or None)
s.settimeout(1)
for target in sys.argv[6:]:
    for size in (1, 1200, 6000):
        payload = os.urandom(size)
        for attempt in range(30):
            s.sendto(payload, (target, int(target_port)))
            try:
                answer, sender = s.recvfrom(65535)
                while answer != payload:
                    answer, sender = s.recvfrom(65535)
                print(target, size, sender[0], sender[1], flush=True)
                break
            except socket.timeout:
                pass
        else:
            sys.exit(f"{target}: no answer")
