#!/bin/bash
# A director with a client and three real servers, each in a network namespace; sourced inside the guest.
sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 net.ipv6.conf.default.accept_dad=0 \
    net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0
ip link add servers type bridge && ip link set servers up
ip link add vip type dummy && ip link set vip up
ip addr add 10.1.0.1/24 dev servers && ip addr add fd00:1::1/64 dev servers nodad
for address in 10.99.0.1/32 10.99.0.7/32; do ip addr add $address dev vip; done
ip addr add fd00:99::1/128 dev vip nodad

ip netns add client && ip -n client link set lo up
ip link add client type veth peer name eth0 netns client && ip link set client up && ip -n client link set eth0 up
ip addr add 10.0.0.1/24 dev client && ip addr add fd00:0::1/64 dev client nodad
ip -n client addr add 10.0.0.2/24 dev eth0 && ip -n client addr add fd00:0::2/64 dev eth0 nodad
ip -n client route add 10.99.0.0/24 via 10.0.0.1 && ip -n client route add fd00:99::/64 via fd00:0::1

for number in 1 2 3; do
    name=rs$number
    ip netns add $name && ip -n $name link set lo up
    ip link add $name type veth peer name eth0 netns $name && ip link set $name master servers up
    ip -n $name link set eth0 up
    ip -n $name addr add 10.1.0.1$number/24 dev eth0 && ip -n $name addr add fd00:1::1$number/64 dev eth0 nodad
    ip -n $name route add default via 10.1.0.1 && ip -n $name route add default via fd00:1::1
    # For direct routing and tunnels the real server has the virtual address too, and answers no ARP for it.
    ip netns exec $name sysctl -qw net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2 \
        net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.eth0.rp_filter=0
    ip -n $name addr add 10.99.0.1/32 dev lo
    ip -n $name link set tunl0 up && ip netns exec $name sysctl -qw net.ipv4.conf.tunl0.rp_filter=0
    ip netns exec $name python3 "$here/backend.py" $name &
done
iptables-legacy -t mangle -A PREROUTING -d 10.99.0.7 -p tcp --dport 8080 -j MARK --set-mark 7
ip6tables-legacy -t mangle -A PREROUTING -d fd00:99::1 -p tcp --dport 8080 -j MARK --set-mark 7
for number in 1 2 3; do
    until ip netns exec rs$number curl --silent --output /dev/null http://127.0.0.1:80/; do sleep 0.1; done
done
