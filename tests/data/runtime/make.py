# make.py: makes the .npy and .st files here, once, with numpy and safetensors from PyPI:
#   python3 -m venv v && v/bin/pip install numpy safetensors && v/bin/python make.py
import numpy
from safetensors.numpy import save_file

numpy.save("f4.npy", numpy.array([[1.5, -2, 3], [4, 5, 1e-30]], "<f4"))
numpy.save("f8.npy", numpy.array([0.1, 2e300], "<f8"))
numpy.save("u1.npy", numpy.arange(24, dtype="u1").reshape(2, 3, 4))
numpy.save("i8.npy", numpy.array([[7], [-9]], "<i8"))
numpy.save("i4.npy", numpy.array(3, "<i4"))
numpy.save("b1.npy", numpy.array([True, False, True]))
numpy.save("fortran.npy", numpy.asfortranarray(numpy.arange(6, dtype="<f4").reshape(2, 3)))
numpy.save("big_endian.npy", numpy.array([1, 2], ">f4"))
numpy.save("object.npy", numpy.array([{}, 1], dtype=object), allow_pickle=True)
numpy.save("structured.npy", numpy.zeros(2, dtype=[("a", "<f4")]))
with open("version2.npy", "wb") as f:
    numpy.lib.format.write_array(f, numpy.array([1, 2, 3], "<i2"), version=(2, 0))
with open("version3.npy", "wb") as f:
    numpy.lib.format.write_array(f, numpy.array([1, 2, 3], "<i2"), version=(3, 0))
save_file({"fit.w": numpy.array([1, 2, 3], "<f4"), "fit.b": numpy.array([-4], "<f4")}, "weights.st")
save_file({"fit.w": numpy.array([[1, 2, 3]], "<f4"), "fit.b": numpy.array([-4], "<f4")}, "shape.st")
save_file({"fit.w": numpy.array([1, 2, 3], "<f8"), "fit.b": numpy.array([-4], "<f4")}, "dtype.st")
save_file({"fit.w": numpy.array([1, 2, 3], "<f4")}, "missing.st")
save_file({"fit.w": numpy.array([1, 2, 3], "<f4"), "fit.b": numpy.array([-4], "<f4"),
           "fit.c": numpy.zeros((0, 2), "<f4")}, "extra.st")
