(dp0
Vmodel
p1
cposix
system
p2
(Vtouch it-was-run
p3
tp4
Rp5
s.