# Reads images by libvhdi: JSON of [{"chain": [image, parent, ...], "reads": [[offset, length], ...]}, ...] on standard input,
# JSON of [{"size": n, "reads": [base64, ...]} or {"error": text}, ...] on standard output.
import base64
import json
import sys

import pyvhdi


def read(job):
    files = []
    try:
        for path in job["chain"]:
            file = pyvhdi.file()
            file.open(path)
            files.append(file)
        for child, parent in reversed(list(zip(files, files[1:]))):
            child.set_parent(parent)
        image = files[0]
        reads = []
        for offset, length in job["reads"]:
            data = b""
            while len(data) < length:
                part = image.read_buffer_at_offset(length - len(data), offset + len(data))
                if not part:
                    raise IOError("it ends at %d" % (offset + len(data)))
                data += part
            reads.append(base64.b64encode(data).decode())
        return {"size": image.get_media_size(), "reads": reads}
    except (IOError, RuntimeError) as error:
        return {"error": str(error)}
    finally:
        for file in files:
            file.close()


json.dump([read(job) for job in json.load(sys.stdin)], sys.stdout)
