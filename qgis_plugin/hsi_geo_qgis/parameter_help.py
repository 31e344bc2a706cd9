"""Help of the parameters that several algorithms have: tooltips, and the list beside the dialog."""

from __future__ import annotations

#: Help by the parameter's name. An algorithm's own ``HELPS`` come first.
COMMON = {
    "INPUT": "Raster layer whose bands have wavelengths. A layer of 'Open scene' stands for its product. Leave it empty if you "
    "choose a product.",
    "INPUTS": "Raster layers of one sensor, whose bands have wavelengths. A layer of 'Open scene' stands for its product.",
    "PRODUCT": "File or folder of a product: PRISMA (.he5), EMIT, PACE and AVIRIS (.nc), EnMAP and DESIS (folder, ZIP or METADATA.XML), "
    "Tanager and NEON (.h5), ENVI (.hdr), GeoTIFF, the folder of a Zarr store, or a folder with one file a band (Hyperion). Or a link to "
    "a file (https://, s3://, /vsicurl/), or a STAC item (.json), as a file or a link.",
    "LABELS": "Points, lines or polygons whose class you know, in any CRS. Selected features only, temporary layers and unsaved "
    "edits all work. Leave it empty if you have only a raster of classes.",
    "CLASS_FIELD": "Field that holds the class of each feature: text or whole numbers. If it is empty: the field that the layer is "
    "styled by, else the one that most likely holds classes.",
    "MORE_LABELS": "Layers that are used together with the first one: polygons beside points, or a raster of classes (one band of "
    "whole numbers, 0 for no class). All of their features are used. The class is in the field of the same name, else in the field "
    "that the layer is styled by. Classes are matched by name.",
    "LIBRARY": "Labelled spectra without a place, alone or together with labels: ENVI (.sli with its .hdr), CSV, profiles of the EnMAP-Box "
    "(.gpkg, .geojson), or field spectra (.asd, .sig, or a folder of them). The accuracy is estimated by drawn labels only.",
    "LIBRARY_FIELD": "Only if the library has several fields. If it is empty: the field with the classes of the labels, else one with a "
    "usual name, else the name of the spectrum.",
    "LIBRARY_WEIGHT": "How much a spectrum counts beside a drawn label, above 0 to 1. Give less if the library comes from another place or "
    "instrument.",
    "ASSET": "Only for a STAC item with several images: key or title of the one that is the scene.",
    "FOLLOW_LINKS": "Off: a STAC item names files beside it or on its own server only, and a server that sends hsi-geo to another one is "
    "refused. Turn it on if you trust who made the item and its server.",
    "ALL_TOUCHED": "Off: a polygon labels the pixels whose centre it covers. On: also the pixels at its edge, which may show two "
    "classes.",
    "TRUST_SHOTS": "Off: a label that looks like another class counts less, and the log names it. On: all labels count the same. Turn "
    "it on if you have checked the labels that the log names.",
    "MODEL": "File (.safetensors) of 'Adapt model' or 'Classify with few shots'. A scene has to cover its wavelengths.",
    "SEED": "Start of the random numbers. The same seed, computer and number of threads give the same result. Another seed shows "
    "how much the result depends on chance.",
    "WEIGHTS": "File of network weights to start from. Leave it empty, unless you have pre-trained a network yourself.",
    "RESCALE": "Only for a scene on another scale than the model's, such as 0 to 1 beside 0 to 10,000. Such a scene is refused, and "
    "the message gives the factor. 'auto' takes the power of ten that fits.",
    "ZONES": "Polygons in any CRS: communes, catchments, parcels. The area of each class in each of them is counted, with its "
    "standard error where one is known. They may overlap: a pixel then counts in each.",
    "ZONE_FIELD": "Field with the names of the zones; zones of one name are one. If it is empty: the field 'zone', 'name' or 'id' "
    "if it tells them apart, else the zones are numbered.",
    "ZONE_TABLE": "CSV file with a row for each class of each zone. Choose zones, too. If it is empty and zones are chosen, the table "
    "is MAP_zones.csv beside the map.",
    "AOI": "Layer of polygons in any CRS. If it is empty, the whole scene is taken.",
    "WAVELENGTHS": "One of these: the path of a file with the centre of each band (a number in nm a line, or a CSV table with a "
    "column 'wavelength'); the first and the last centre in nm, such as 400:2500, for evenly spaced bands; or the word 'index' for "
    "bands without wavelengths.",
    "GRID": "Only for swaths, rotated lines, or if you want another CRS. One of these: 'UTM' for the UTM zone of the scene, 'native' for "
    "the grid or the CRS of the product, 'swath' for the rows and columns of the sensor, or a code such as EPSG:32633. If it is empty, the grid that fits best is taken, and the log names it.",
    "PIXEL_SIZE": "Only for swaths, rotated lines, or with a grid in another CRS: side of a pixel in metres, or in the unit of the CRS.",
    "DEM": "Only for a scene with RPCs: raster of heights in metres, so that relief does not move pixels.",
    "MASK": "Pixels that teach nothing and get no class. One of these: 'auto' for clouds, cirrus, shadows, haze and defects, as "
    "far as the product flags them; 'none'; flags with commas between them (clouds, cirrus, shadows, haze, snow, water, quality); "
    "or the path of a mask, a raster that is not 0 where pixels are masked, or polygons.",
    "DEVICE": "Where the network computes: on the processor (cpu), on an NVIDIA graphics card (cuda), or on the card if there is "
    "one (auto).",
    "THREADS": "Number of threads on the processor. Fewer threads leave the computer free for other work.",
    "MAX_MEMORY": "Memory for the part of the scene that is read at a time. The map is the same with any value. Give less if the "
    "computer runs out of memory.",
    "REJECT": "Pixels that are less like the labels than this get a class of their own. Give 'auto' for the model's own "
    "threshold, which rejects 5 per cent of land like the labels, or a share from 0 to 1. If it is empty, every pixel gets a class.",
    "MIN_CONFIDENCE": "Pixels whose class is less probable than this get the class 'too uncertain'. Give per cent such as 60%, or a "
    "share such as 0.6. If it is empty, every pixel gets a class.",
    "MIN_AREA": "Patches smaller than this are given to the neighbour whose class their own probabilities prefer. Give hectares such as "
    "0.5ha, or pixels such as 10px. If it is empty, patches of every size stay.",
    "CONFIDENCE": "Raster with the probability of the mapped class in per cent. It is low where the scene shows something unlike "
    "any label.",
    "PROBABILITIES": "Raster with one band for each class: its probability, from 0 to 1.",
    "PARENT_FIELD": "Only for classes of two levels: field with the upper level, such as 'built-up' for the class 'roof'. The "
    "probability of a parent is the sum of those of its classes, and the map shows the most probable parent first.",
    "PARENTS": "Raster of the upper level, with its own names and colours. The labels need the field with the parent of the class.",
    "STAC": "A JSON file by which catalogues find the map: its place, classes and colours, and each of its files.",
    "SMOOTH": "Number of passes: 3 rounds the stairs of pixels. Neighbours keep the same outline, so there are no gaps. Hectares are "
    "those of the pixels.",
    "OUTPUT": "GeoTIFF to write. A style (.qml), the names of the classes (.aux.xml) and a record of how the map was made (.json) are "
    "written beside it.",
}
